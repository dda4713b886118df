//! Ends that are caught, and those that cannot be.

#![allow(clippy::unwrap_used)]

use erlang_process::{self as process, ExitReason, catch, rescue};

#[tokio::test]
async fn a_signal_that_ends_the_process_is_not_caught() {
    let survivor = process::run(async {
        let caught = rescue(|| rescue(|| process::kill(process::current().unwrap())));
        unreachable!("{caught:?}");
    });
    assert_eq!(survivor.await.map(|never: ()| never), Err(ExitReason::Killed));

    let survivor = process::run(async {
        let caught =
            catch(async { rescue(|| process::send_exit(process::current().unwrap(), ExitReason::Shutdown)) });
        unreachable!("{:?}", caught.await);
    });
    assert_eq!(survivor.await.map(|never: ()| never), Err(ExitReason::Shutdown));
}

#[tokio::test]
async fn the_nearest_catches_and_the_process_lives() {
    let caught = process::run(async {
        let caught = rescue(|| {
            let inner = rescue(|| process::exit(ExitReason::Normal) as u32);
            assert_eq!(inner, Err(ExitReason::Normal));
            process::exit(ExitReason::Shutdown) as u32
        });
        assert!(process::is_alive(process::current().unwrap()));
        caught
    });
    assert_eq!(caught.await, Ok(Err(ExitReason::Shutdown)));
}

#[tokio::test]
async fn a_panic_has_its_own_place_even_if_others_were_caught_before() {
    process::capture_panics();
    let reason = process::run(async {
        // The same words, at another place.
        assert!(std::panic::catch_unwind(|| panic!("out of paper")).is_err());
        panic!("out of paper") as ()
    });
    let ExitReason::Panic(panic) = reason.await.unwrap_err() else { panic!("another reason") };
    let line = line!() - 3;
    assert!(panic.location().unwrap().contains(&format!("rescue.rs:{line}:")), "{panic}");
    // Without unwinding there was no hook: no place is better than that of another panic.
    let thrown = process::run(async {
        assert!(rescue(|| panic!("out of ink")).is_err());
        std::panic::resume_unwind(Box::new("out of glue")) as ()
    });
    let ExitReason::Panic(panic) = thrown.await.unwrap_err() else { panic!("another reason") };
    assert_eq!((panic.message(), panic.location()), ("out of glue", None));
}

#[test]
fn outside_any_process_an_exit_is_caught_as_the_panic_that_it_is() {
    let ExitReason::Panic(panic) = rescue(|| process::exit(ExitReason::Shutdown) as ()).unwrap_err() else {
        panic!("another reason");
    };
    assert_eq!(panic.message(), "exit outside any process: shutdown");
}
