//! Trouble points: places in a program where its simulation may make trouble.
//!
//! Some failures of a program are rare: a disk that is slow at the wrong moment, a process that ends between two steps.
//! A trouble point names such a place. Where the program is [simulated](https://docs.rs/erlang-process/latest/erlang_process/simulate)
//! and its test asks for trouble, it may be kept waiting there, or end; in each order of events at other places, and in the same
//! ones again for the same seed. Everywhere else a trouble point does nothing.
//!
//! ```
//! use erlang_process::trouble;
//!
//! async fn pay(account: &mut i64, price: i64) {
//!     trouble::may_wait("before the payment").await;
//!     *account -= price;
//!     trouble::may_fail("the payment is made and not yet in the book");
//! }
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! # let mut account = 10;
//! # pay(&mut account, 3).await;
//! # assert_eq!(account, 7);
//! # }
//! ```

/// A place where the caller may be kept waiting: others have a turn, or some time passes, up to about a second.
///
/// ```
/// use erlang_process::trouble;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let mut stock = 1;
/// if stock > 0 {
///     // Is it still there when others had a turn meanwhile?
///     trouble::may_wait("between look and take").await;
///     stock -= 1;
/// }
/// assert_eq!(stock, 0);
/// # }
/// ```
///
/// # Cancel safety
///
/// There is nothing that could be lost.
pub async fn may_wait(place: &'static str) {
    #[cfg(all(feature = "testing", not(any(otp_loom, otp_shuttle))))]
    crate::simulate::wait_at(place).await;
    #[cfg(not(all(feature = "testing", not(any(otp_loom, otp_shuttle)))))]
    let _ = place;
}

/// A place where the calling process may end, as by [`exit`](crate::exit()), with a reason that names the place. Nothing
/// happens outside any process. Not for destructors: it leaves by unwinding.
///
/// ```
/// use erlang_process::trouble;
///
/// let (mut from, mut to) = (100, 0);
/// from -= 30;
/// trouble::may_fail("the money is nowhere");
/// to += 30;
/// // Outside a simulation nothing has happened.
/// assert_eq!((from, to), (70, 30));
/// ```
pub fn may_fail(place: &'static str) {
    #[cfg(all(feature = "testing", not(any(otp_loom, otp_shuttle))))]
    crate::simulate::fail_at(place);
    #[cfg(not(all(feature = "testing", not(any(otp_loom, otp_shuttle)))))]
    let _ = place;
}
