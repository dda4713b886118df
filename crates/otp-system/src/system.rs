//! The part of a process that answers system messages.

use std::{
    any::type_name,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
};

use erlang_process::{ExitReason, Pid, current};

use crate::{
    debug::{Debug, DebugOptions},
    event::{Event, LoggedEvent},
    message::{Command, DebugRequest, Mode, StatusInfo, SystemMessage},
};

/// The part of a process that answers system messages.
///
/// A process of your own speaks the protocol by keeping one of these, selecting [`SystemMessage`]s beside its
/// own messages, and handing them over:
///
/// ```
/// use erlang_process::{self as process, Selector, Subject};
/// use otp_system::{After, Mode, System, SystemMessage};
///
/// enum Event { Add(i32), System(SystemMessage) }
///
/// async fn adder(numbers: Subject<i32>) -> Result<(), process::ExitReason> {
///     let mut sum = 0;
///     let mut system = System::new("adder", None);
///     let mut suspended = Selector::new().select_raw(Event::System);
///     let mut running = Selector::new().select_raw(Event::System).select(&numbers, Event::Add);
///     loop {
///         let selector = match system.mode() {
///             Mode::Running => &mut running,
///             Mode::Suspended => &mut suspended,
///         };
///         match selector.receive_forever().await.map_err(process::ExitReason::error)? {
///             Event::Add(number) => sum += number,
///             Event::System(message) => match system.handle(message, &mut sum, |sum| Some(sum.to_string())) {
///                 After::Continue => {}
///                 After::Terminate(reason) => return Err(reason),
///             },
///         }
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let second = std::time::Duration::from_secs(1);
/// let adder = process::spawn_subject(adder);
/// adder.send(20);
/// adder.send(22);
/// let sum = otp_system::get_state(adder.pid().unwrap(), second, |sum: &i32| *sum).await;
/// assert_eq!(sum, Ok(42));
/// # }
/// ```
///
/// Counterpart: `sys:handle_system_msg/6`.
pub struct System {
    module: &'static str,
    parent: Option<Pid>,
    mode: Mode,
    /// Made when it is first needed, so that it costs nothing as long as nobody debugs.
    debug: Option<Box<Debug>>,
}

/// What a process does when a system message is answered.
///
/// ```
/// use erlang_process::{ExitReason, Reply};
/// use otp_system::{After, System, SystemMessage};
///
/// let mut system = System::new("adder", None);
/// let message = SystemMessage::Terminate(ExitReason::Shutdown, Reply::new(|()| ()));
/// match system.handle(message, &mut 0, |_| None) {
///     After::Continue => println!("it goes on"),
///     After::Terminate(reason) => assert_eq!(reason, ExitReason::Shutdown),
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum After {
    /// Go on, in the [mode](System::mode) that is now set.
    Continue,
    /// End with this reason, as it ends otherwise.
    Terminate(ExitReason),
}

impl System {
    /// The system part of a running process in which `module` runs and that `parent` started.
    ///
    /// ```
    /// use otp_system::{Mode, System};
    ///
    /// let system = System::new("adder", erlang_process::current());
    /// assert_eq!((system.mode(), system.parent()), (Mode::Running, None));
    /// ```
    #[must_use]
    pub fn new(module: &'static str, parent: Option<Pid>) -> Self {
        Self { module, parent, mode: Mode::Running, debug: None }
    }

    /// With these debug functions from the beginning.
    ///
    /// ```
    /// use otp_system::{DebugOptions, System};
    ///
    /// let system = System::new("adder", None).debugging(DebugOptions::new().log(10));
    /// assert!(system.is_debugged());
    /// ```
    ///
    /// Counterpart: `sys:debug_options/1`.
    #[must_use]
    pub fn debugging(mut self, options: DebugOptions) -> Self {
        self.debug = options.into_debug();
        self
    }

    /// Who started the process.
    ///
    /// ```
    /// use erlang_process as process;
    /// use otp_system::System;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # erlang_process::run(async {
    /// // A process that traps exits ends with the one that has started it.
    /// let system = System::new("adder", process::current());
    /// assert_eq!(system.parent(), process::current());
    /// # Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// # }).await.unwrap().unwrap();
    /// # }
    /// ```
    #[must_use]
    pub fn parent(&self) -> Option<Pid> {
        self.parent
    }

    /// Whether the process should take messages.
    ///
    /// ```
    /// use erlang_process::Reply;
    /// use otp_system::{Mode, System, SystemMessage};
    ///
    /// let mut system = System::new("adder", None);
    /// assert_eq!(system.mode(), Mode::Running);
    /// drop(system.handle(SystemMessage::Suspend(Reply::new(|()| ())), &mut 0, |_| None));
    /// assert_eq!(system.mode(), Mode::Suspended);
    /// ```
    #[must_use]
    #[inline]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Whether anything is done with events: without, there is no need to make any.
    ///
    /// ```
    /// use otp_system::{Event, EventKind, System};
    ///
    /// let mut system = System::new("adder", None);
    /// // What is made for nobody need not be made.
    /// if system.is_debugged() {
    ///     system.event(&Event::new(EventKind::Other, &format!("{:?}", vec![0; 1_000])), &0);
    /// }
    /// ```
    #[must_use]
    #[inline]
    pub fn is_debugged(&self) -> bool {
        self.debug.is_some()
    }

    /// Tells of an event, to everything that was switched on or installed.
    ///
    /// ```
    /// use otp_system::{DebugOptions, Event, EventKind, System};
    ///
    /// let mut system = System::new("adder", None).debugging(DebugOptions::new().log(10));
    /// let (number, sum) = (7_u32, 35_u32);
    /// system.event(&Event::of(EventKind::In, &number, Some("add 7")), &sum);
    /// assert_eq!(system.logged()[0].to_string(), "in add 7");
    /// ```
    ///
    /// Counterpart: `sys:handle_debug/4`.
    pub fn event<S: 'static>(&mut self, event: &Event<'_>, state: &S) {
        self.with_debug(|debug| debug.event(event, state));
    }

    /// The events that are kept, the oldest first.
    ///
    /// ```
    /// use otp_system::{DebugOptions, Event, EventKind, System};
    ///
    /// let mut system = System::new("adder", None).debugging(DebugOptions::new().log(10));
    /// system.event(&Event::new(EventKind::Other, "awake"), &0);
    /// assert_eq!(system.logged()[0].text, "awake");
    /// ```
    ///
    /// Counterpart: `sys:get_log/1`.
    #[must_use]
    pub fn logged(&self) -> Vec<LoggedEvent> {
        self.debug.as_ref().map(|debug| debug.logged()).unwrap_or_default()
    }

    /// Answers a system message. `describe` tells the state to whoever asks for the status.
    ///
    /// Suspending what is suspended and resuming what runs changes nothing; it is not counted.
    ///
    /// ```
    /// use erlang_process::Reply;
    /// use otp_system::{After, StatusInfo, System, SystemMessage};
    ///
    /// let (mut system, mut sum) = (System::new("adder", None), 42);
    /// let told = |status: StatusInfo| assert_eq!((status.module, status.state.as_deref()), ("adder", Some("42")));
    /// let message = SystemMessage::GetStatus(Reply::new(told));
    /// assert_eq!(system.handle(message, &mut sum, |sum| Some(sum.to_string())), After::Continue);
    /// ```
    pub fn handle<S: 'static>(
        &mut self,
        message: SystemMessage,
        state: &mut S,
        describe: impl FnOnce(&S) -> Option<String>,
    ) -> After {
        match message {
            SystemMessage::Suspend(reply) => {
                self.mode = Mode::Suspended;
                reply.send(());
            }
            SystemMessage::Resume(reply) => {
                self.mode = Mode::Running;
                reply.send(());
            }
            SystemMessage::GetStatus(reply) => reply.send(StatusInfo {
                pid: current().unwrap_or(Pid::OUTSIDE),
                module: self.module,
                parent: self.parent,
                mode: self.mode,
                state_type: type_name::<S>(),
                // A description must never take the process down.
                state: catch_unwind(AssertUnwindSafe(|| describe(state)))
                    .unwrap_or_else(|_| Some("the description of the state panicked".to_owned())),
                debugged: self.is_debugged(),
                log: self.logged(),
            }),
            SystemMessage::State(visit) => visit.run(state),
            SystemMessage::ChangeCode(visit) => match self.mode {
                Mode::Suspended => visit.run(state),
                Mode::Running => visit.refuse(),
            },
            SystemMessage::Debug(DebugRequest(command)) => self.command::<S>(command),
            SystemMessage::Terminate(reason, reply) => {
                // The answer goes first, as in OTP: who asked waits for the end by a monitor.
                reply.send(());
                return After::Terminate(reason);
            }
        }
        After::Continue
    }

    fn command<S: 'static>(&mut self, command: Command) {
        match command {
            Command::Trace(on, reply) => {
                self.with_debug(|debug| debug.trace = on);
                reply.send(());
            }
            Command::Log(limit, reply) => {
                self.with_debug(|debug| debug.log(limit));
                reply.send(());
            }
            Command::Logged(reply) => reply.send(self.logged()),
            Command::LogToFile(path, reply) => {
                let opened = self.with_debug(|debug| debug.log_to_file(path.as_deref()));
                reply.send(opened.map_err(|error| std::sync::Arc::new(error) as _));
            }
            Command::Statistics(on, reply) => {
                self.with_debug(|debug| debug.statistics(on));
                reply.send(());
            }
            Command::Counted(reply) => reply.send(self.debug.as_ref().and_then(|debug| debug.counted())),
            Command::Install(installed, reply) => {
                let fits = installed.is_for::<S>();
                if fits {
                    self.with_debug(|debug| debug.install(installed));
                }
                reply.send(if fits { Ok(()) } else { Err(type_name::<S>()) });
            }
            Command::Remove(id, reply) => {
                self.with_debug(|debug| debug.remove(&id));
                reply.send(());
            }
            Command::NoDebug(reply) => {
                self.debug = None;
                reply.send(());
            }
        }
    }

    /// Does something with the debug functions, and forgets them where none is left.
    fn with_debug<T>(&mut self, work: impl FnOnce(&mut Debug) -> T) -> T {
        let debug = self.debug.get_or_insert_default();
        let result = work(debug);
        if debug.is_idle() {
            self.debug = None;
        }
        result
    }
}

impl fmt::Debug for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("System")
            .field("module", &self.module)
            .field("parent", &self.parent)
            .field("mode", &self.mode)
            .field("debugged", &self.is_debugged())
            .finish()
    }
}
