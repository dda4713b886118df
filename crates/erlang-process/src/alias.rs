//! Aliases: addresses that their process can withdraw.

use crate::{
    cell::{Alias, AliasEnd},
    process::NotAProcess,
    reference::Reference,
    scope,
};

/// How long an alias lasts.
///
/// Counterpart: the option of `erlang:alias/1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AliasMode {
    /// Until [`unalias`].
    ExplicitUnalias,
    /// Until the first message through it.
    Reply,
}

impl From<AliasMode> for AliasEnd {
    fn from(mode: AliasMode) -> Self {
        match mode {
            AliasMode::ExplicitUnalias => Self::ExplicitUnalias,
            AliasMode::Reply => Self::Reply,
        }
    }
}

/// Makes an alias of the calling process: a reference that messages can be [sent](crate::send()) to, and that
/// [`Selector::select_alias`](crate::Selector::select_alias) receives. Once it is inactive, messages to it are dropped;
/// those already in the mailbox stay.
///
/// ```
/// use erlang_process::{self as process, AliasMode, Selector};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # erlang_process::run(async {
/// let alias = process::alias(AliasMode::Reply)?;
/// let mut answers = Selector::new().select_alias(alias, |answer: u32| answer);
/// process::send(alias, 42_u32);
/// assert_eq!(answers.receive(Duration::from_secs(1)).await?, 42);
/// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
/// # }).await.unwrap().unwrap();
/// # }
/// ```
///
/// # Errors
///
/// [`NotAProcess`] outside any process.
///
/// Counterpart: `erlang:alias/1`.
pub fn alias(mode: AliasMode) -> Result<Reference, NotAProcess> {
    make(mode, false)
}

pub(crate) fn make(mode: AliasMode, priority: bool) -> Result<Reference, NotAProcess> {
    if priority {
        scope::with(|scope| scope.take_under_lock(None));
    }
    let cell = scope::cell().ok_or(NotAProcess)?;
    let reference = cell.head().node.make_reference(Some(cell.head().pid));
    let alias = Alias { end: mode.into(), priority };
    cell.with(|control, _| control.rare_mut().aliases.insert(reference, alias));
    Ok(reference)
}

/// Withdraws an alias of the calling process. Whether it was active, and the caller's.
///
/// ```
/// use erlang_process::{self as process, AliasMode};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # erlang_process::run(async {
/// let alias = process::alias(AliasMode::ExplicitUnalias)?;
/// assert!(process::unalias(alias));
/// assert!(!process::unalias(alias));
/// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
/// # }).await.unwrap().unwrap();
/// # }
/// ```
///
/// Counterpart: `erlang:unalias/1`.
pub fn unalias(alias: Reference) -> bool {
    scope::cell()
        .is_some_and(|cell| cell.with(|control, _| control.rare_mut().aliases.remove(&alias).is_some()))
}
