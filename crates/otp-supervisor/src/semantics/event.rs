//! What can happen to a supervisor.

use super::{ChildKey, ChildRules, Flags, Template};

/// Something that happened, told to a machine one at a time and in the order of the supervisor's mailbox.
///
/// `C` is the machine's kind of command, `P` a process, `R` an exit reason, `F` what a failing start says.
///
/// Counterpart: the messages that `supervisor.erl` handles, and the returns of the calls it makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<C, P, R, F> {
    /// The supervisor is up and traps exits; its children can be started. The first event, and only the first.
    Boot,
    /// Answers [`Start`](super::Effect::Start): the child runs. `{ok, Pid}`, `{ok, Pid, Info}`.
    Started {
        /// The child.
        key: ChildKey,
        /// Its process.
        pid: P,
    },
    /// Answers [`Start`](super::Effect::Start): the child does not want to run. `ignore`.
    Ignored {
        /// The child.
        key: ChildKey,
    },
    /// Answers [`Start`](super::Effect::Start): `{error, E}`, or the start function crashed or made no sense.
    StartFailed {
        /// The child.
        key: ChildKey,
        /// What went wrong.
        error: F,
    },
    /// Answers [`Stop`](super::Effect::Stop), or one child's part of [`StopAll`](super::Effect::StopAll), whose
    /// answers may come in any order: the child is dead.
    Stopped {
        /// The child.
        key: ChildKey,
        /// How it *truly* ended: if it was dead before it was asked, that reason, taken from the exit in the
        /// mailbox, which must not be fed any more.
        reason: R,
    },
    /// Answers [`Stop`](super::Effect::Stop), or one child's part of [`StopAll`](super::Effect::StopAll): the child was
    /// killed, has not ended [since](super::Shutdown::KILL_PATIENCE), and is not waited for any longer. When it ends after
    /// all, that is an [`Exited`](Self::Exited).
    Unresponsive {
        /// The child.
        key: ChildKey,
    },
    /// The exit of a linked process arrived: `{'EXIT', Pid, Reason}`. Of a process that is no child, or no longer
    /// a child, it means nothing.
    Exited {
        /// The process that ended.
        pid: P,
        /// Why it did.
        reason: R,
    },
    /// The message that a [`Retry`](super::Effect::Retry) or [`RetryAfter`](super::Effect::RetryAfter) sent has arrived: `{try_again_restart, Id}`.
    Retry {
        /// The child that is to be tried again.
        key: ChildKey,
    },
    /// Someone calls a function of the dynamic API.
    Command(C),
    /// The supervisor is to end with this reason: its parent has ended with it, or a system message demands it.
    ShutDown {
        /// The reason that the supervisor will exit with.
        reason: R,
    },
}

/// A command to a [`Supervisor`](super::Supervisor), by the child's id.
///
/// What can be asked without changing anything are methods of the machine.
///
/// Counterpart: the functions of the same names in Erlang's `supervisor`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command<I> {
    /// Adds a child at the end of the start order, and starts it.
    StartChild(ChildRules<I>),
    /// Stops a child. It stays known, without a process, and is not started again until someone asks for it or its
    /// whole group is restarted. A temporary one is forgotten. A pending restart is called off.
    TerminateChild(I),
    /// Starts a child that has no process. This is not a restart in the sense of the intensity.
    RestartChild(I),
    /// Forgets a child that has no process.
    DeleteChild(I),
    /// Changes to these flags and children: `code_change/3` with what `init/1` returns now.
    ///
    /// Children that are known keep their processes and get their new rules; new ones are added without a process,
    /// and not started; those that are not mentioned stay as they are and come last in the start order.
    Change(Flags, Vec<ChildRules<I>>),
}

/// A command to a [`Factory`](super::Factory), by the child's process.
///
/// `restart_child` and `delete_child`, to which Erlang answers `simple_one_for_one`, do not exist.
///
/// Counterpart: `start_child` and `terminate_child` in Erlang's `supervisor` and Elixir's `DynamicSupervisor`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FactoryCommand<P> {
    /// Starts a new child.
    StartChild(Template),
    /// Stops a child and forgets it. One that is about to be started again goes by its last process.
    TerminateChild {
        /// The child's process.
        pid: P,
        /// Whether this process is alive. It matters only if it is no child's: Erlang answers `ok` if it is dead
        /// and `not_found` if it is alive. Always `true` makes it Elixir's answer, `not_found` in both cases.
        alive: bool,
    },
}
