//! The process around the core: it carries out what the core decides, and decides nothing.

use std::{collections::VecDeque, fmt, future::poll_fn, pin::pin, task::Poll, time::Duration};

use erlang_process::{
    CallError, Down, ExitMessage, ExitReason, Pid, Selector, Subject, Unexpected, catch, trap_exits,
};
use otp_actor::{InitAck, StartError};
use otp_system::{After, DebugOptions, Event as SystemEvent, EventKind, Mode, System, SystemMessage};
use rustc_hash::FxHashMap;
use tokio::time::Instant;

use crate::{
    child_info::ChildInfo,
    child_spec::{ChildId, FailedToStartChild, Launch, discard},
    report,
    semantics::{
        self, Answer, ChildKey, CommandError, Effect, Ending, Event, Presence, Reason, ReasonKind, Rekeyed,
        Report, Stop, Taken,
    },
    stop::{self, Stopped},
    unresponsive::{Gone, Unresponsive},
};

impl Reason for ExitReason {
    fn kind(&self) -> ReasonKind {
        match self {
            Self::Normal => ReasonKind::Normal,
            Self::Shutdown => ReasonKind::Shutdown,
            Self::ShutdownWith(_) => ReasonKind::ShutdownWith,
            Self::Killed => ReasonKind::Killed,
            _ => ReasonKind::Other,
        }
    }
}

/// What the two cores have in common.
pub(crate) trait Core: Send + 'static {
    type Id: Clone + PartialEq + std::fmt::Display + Send;
    type Command: Send;
    /// The rules alone: what those see who ask the supervisor for its state.
    type Rules: 'static;

    /// What users know a child by.
    fn child_id(id: Self::Id) -> ChildId;

    fn rules(&mut self) -> &mut Self::Rules;

    fn child(&self, key: ChildKey) -> Option<&semantics::Child<Self::Id, Pid>>;

    /// The child that has this process.
    fn child_of(&self, pid: Pid) -> Option<&semantics::Child<Self::Id, Pid>>;

    fn key(&self, id: &Self::Id) -> Option<ChildKey>;

    fn handle(
        &mut self,
        now: Duration,
        event: Event<Self::Command, Pid, ExitReason, StartError>,
        effects: &mut Vec<Effect<Self::Id, Pid, ExitReason, StartError>>,
    ) -> Taken<Self::Command, Pid, ExitReason, StartError>;
}

/// What tells the kinds of supervisor apart: what they can be asked.
pub(crate) trait Behaviour: Send + Sized + 'static {
    type Core: Core;
    /// The messages of the supervisor's own subject.
    type Request: Send + 'static;
    /// What its starter gets.
    type Handle: Send + 'static;
    const MODULE: &'static str;

    /// The message by which a supervisor reminds itself to try again.
    fn retry(key: ChildKey) -> Self::Request;

    /// Answers a request. A reason means that the supervisor has come to its end.
    fn serve(
        shell: &mut Shell<Self>,
        request: Self::Request,
    ) -> impl Future<Output = Option<ExitReason>> + Send;
}

/// What came of a command.
pub(crate) type Outcome<I> = Result<Answer<Pid>, CommandError<I, Pid, StartError>>;

type CoreEvent<B> = Event<<<B as Behaviour>::Core as Core>::Command, Pid, ExitReason, StartError>;
type CoreEffect<B> = Effect<<<B as Behaviour>::Core as Core>::Id, Pid, ExitReason, StartError>;

/// A child's start, and how often it was used.
pub(crate) struct Child {
    launch: Launch,
    starts: u64,
}

pub(crate) struct Shell<B: Behaviour> {
    pub(crate) core: B::Core,
    /// What is to be done: empty between two messages, and kept for its room.
    effects: Vec<CoreEffect<B>>,
    children: FxHashMap<ChildKey, Child>,
    subject: Subject<B::Request>,
    /// The starts of the children that the command being served brings: the core has not numbered them yet.
    incoming: VecDeque<Launch>,
    /// What the core has answered to the command that is being served.
    outcome: Option<Outcome<<B::Core as Core>::Id>>,
    ack: Option<(InitAck<B::Handle>, B::Handle)>,
    epoch: Instant,
    /// How many children were given a number, because they have no id.
    numbered: u64,
    pub(crate) unresponsive: Unresponsive<<B::Core as Core>::Id>,
}

/// Stops a supervisor in order and waits until it is gone.
pub(crate) async fn stop_supervisor(pid: Option<Pid>) -> Result<(), CallError> {
    otp_actor::stop(pid.ok_or(CallError::NoProc)?, ExitReason::Normal, Duration::MAX).await
}

/// Runs a supervisor to its end. To be called where it is started.
pub(crate) fn run<B: Behaviour>(
    core: B::Core,
    children: impl IntoIterator<Item = (ChildKey, Launch)>,
    subject: Subject<B::Request>,
    debug: DebugOptions,
    ack: InitAck<B::Handle>,
    handle: B::Handle,
) -> impl Future<Output = ExitReason> + Send {
    let children: FxHashMap<_, _> =
        children.into_iter().map(|(key, launch)| (key, Child { launch, starts: 0 })).collect();
    Unresponsive::new().of(async move |unresponsive| {
        let parent = ack.parent();
        if let Err(error) = trap_exits(true) {
            return ExitReason::error(error);
        }
        let mut shell = Shell::<B> {
            core,
            effects: Vec::new(),
            numbered: 0,
            children,
            subject,
            incoming: VecDeque::new(),
            outcome: None,
            ack: Some((ack, handle)),
            epoch: Instant::now(),
            unresponsive,
        };
        let reason = match shell.feed(Event::Boot).await {
            Some(reason) => reason,
            None => shell.serve(parent, debug).await,
        };
        discard(shell);
        reason
    })
}

/// Everything that a supervisor takes out of its mailbox.
enum Message<R> {
    Request(R),
    Exit(ExitMessage),
    Down(Down),
    System(SystemMessage),
    Unexpected(String),
}

impl<R> Message<R> {
    /// What was not sent to the supervisor's own subject.
    fn other(mut message: Unexpected<'_>) -> Self {
        if let Some(exit) = message.take_exit() {
            Self::Exit(exit)
        } else if let Some(down) = message.take_down() {
            Self::Down(down)
        } else if let Some(system) = message.take_raw() {
            Self::System(system)
        } else {
            Self::Unexpected(message.to_string())
        }
    }
}

/// What a supervisor takes while it is suspended.
fn essential<R: 'static>(parent: Option<Pid>) -> Selector<Message<R>> {
    let essential = Selector::new().select_raw(Message::System);
    match parent {
        Some(parent) => essential.select_trapped_exit_of(parent, Message::Exit),
        None => essential,
    }
}

impl<B: Behaviour> Shell<B> {
    async fn serve(&mut self, parent: Option<Pid>, debug: DebugOptions) -> ExitReason {
        let mut system = System::new(B::MODULE, parent).debugging(debug);
        loop {
            let received = match system.mode() {
                Mode::Running => {
                    self.subject.receive_any(Duration::MAX, Message::Request, Message::other).await
                }
                Mode::Suspended => essential(parent).receive_forever().await,
            };
            if system.is_debugged() {
                match &received {
                    Ok(Message::Request(request)) => {
                        system.event(&SystemEvent::of(EventKind::In, request, None), self.core.rules());
                    }
                    Ok(Message::Exit(exit)) => {
                        let text = format!("the end of {}: {}", exit.pid, exit.reason);
                        system.event(&SystemEvent::of(EventKind::In, exit, Some(&text)), self.core.rules());
                    }
                    Ok(Message::Down(_) | Message::System(_) | Message::Unexpected(_)) | Err(_) => {}
                }
            }
            let ended = match received {
                Ok(Message::Request(request)) => B::serve(self, request).await,
                Ok(Message::Exit(exit)) if Some(exit.pid) == parent => {
                    self.feed(Event::ShutDown { reason: exit.reason }).await
                }
                Ok(Message::Exit(exit)) => self.ended(exit).await,
                Ok(Message::Down(down)) => self.down(down).await,
                Ok(Message::System(message)) => match system.handle(message, self.core.rules(), |_| None) {
                    After::Continue => None,
                    After::Terminate(reason) => self.feed(Event::ShutDown { reason }).await,
                },
                Ok(Message::Unexpected(message)) => {
                    report::unexpected(&message);
                    None
                }
                Err(error) => Some(ExitReason::error(error)),
            };
            if let Some(reason) = ended {
                return reason;
            }
        }
    }

    /// The end of a process that this one monitors: of one that would not end, or of one that a start function watches.
    async fn down(&mut self, down: Down) -> Option<ExitReason> {
        match self.unresponsive.down(down) {
            Ok(Gone::Child(exit)) => return self.exited(exit).await,
            Ok(Gone::Start(id)) => {
                if let Some(key) = self.core.key(&id)
                    && self.in_the_way(key).is_none()
                {
                    self.subject.send(B::retry(key));
                }
            }
            Ok(Gone::One) => {}
            Err(down) => report::unexpected(&format!("{down:?}")),
        }
        None
    }

    /// A child has ended by itself; or somebody else has, which means nothing. If it has left a process that does not end, and is
    /// to be started again, its end is heard when that one's is: its successor must not meet it.
    async fn ended(&mut self, exit: ExitMessage) -> Option<ExitReason> {
        if self.unresponsive.has_left(exit.pid)
            && let Some(child) = self.core.child_of(exit.pid)
        {
            if child.rules.restart.revives(exit.reason.kind()) {
                let presence = Presence::Unresponsive(exit.pid);
                report::report(&Report::Unresponsive {
                    child: semantics::Child { presence, ..child.clone() },
                });
                self.unresponsive.hold_back(exit);
                return None;
            }
            self.unresponsive.let_go(exit.pid, &child.rules.id);
        }
        self.exited(exit).await
    }

    async fn exited(&mut self, ExitMessage { pid, reason }: ExitMessage) -> Option<ExitReason> {
        self.feed(Event::Exited { pid, reason }).await
    }

    /// What is known of a child.
    pub(crate) fn info<I: Clone>(&self, child: &semantics::Child<I, Pid>) -> ChildInfo<I> {
        let starts = self.children.get(&child.key).map_or(0, |child| child.starts);
        let presence = self.lingering(child).map_or(child.presence, Presence::Unresponsive);
        ChildInfo { rules: child.rules.clone(), presence, restarts: starts.saturating_sub(1) }
    }

    /// The process of a child that has ended, as far as it itself goes: the core takes it to run until its end is complete.
    pub(crate) fn lingering<I>(&self, child: &semantics::Child<I, Pid>) -> Option<Pid> {
        match child.presence {
            Presence::Running(pid) if self.unresponsive.is_awaited(pid) => Some(pid),
            _ => None,
        }
    }

    /// The number for a child without an id: another one each time.
    pub(crate) fn next_number(&mut self) -> u64 {
        self.numbered += 1;
        self.numbered - 1
    }

    /// Has the core carry out a command, for children that are started by `launches` if they are to be started.
    /// Returns what came of it, and the reason if the supervisor has come to its end.
    pub(crate) async fn command(
        &mut self,
        command: <B::Core as Core>::Command,
        launches: impl IntoIterator<Item = Launch>,
    ) -> (Option<Outcome<<B::Core as Core>::Id>>, Option<ExitReason>) {
        self.incoming.extend(launches);
        let ended = self.feed(Event::Command(command)).await;
        self.incoming.drain(..).for_each(discard);
        (self.outcome.take(), ended)
    }

    /// Tells the core what has happened and does all that follows from it. A reason means that the
    /// supervisor has come to its end.
    pub(crate) async fn feed(&mut self, event: CoreEvent<B>) -> Option<ExitReason> {
        let mut effects = std::mem::take(&mut self.effects);
        let mut next = Some(event);
        while let Some(event) = next.take() {
            if let Err(refused) = self.core.handle(self.epoch.elapsed(), event, &mut effects) {
                return Some(ExitReason::error(refused.to_string()));
            }
            let mut several = Vec::new();
            for effect in &mut effects {
                match effect {
                    Effect::Start { key } => next = Some(self.start(*key).await),
                    Effect::Ready => next = self.ready(),
                    Effect::Stop(stop) => {
                        let stopped = stop::one(stop).await;
                        next = Some(self.stopped(*stop, stopped));
                    }
                    Effect::StopAll(stops) => several = stop::all(std::mem::take(stops)).await,
                    Effect::Report(report) => report::report(report),
                    // Taken out; what stands in for it is not looked at again.
                    effect => {
                        if let Some(reason) = self.carry_out(std::mem::replace(effect, Effect::Ready)) {
                            return Some(reason);
                        }
                    }
                }
            }
            effects.clear();
            // Of these, the last one alone leads to more than reports.
            for (stop, stopped) in several {
                if let Some(event) = next.replace(self.stopped(stop, stopped))
                    && let Err(refused) = self.core.handle(self.epoch.elapsed(), event, &mut effects)
                {
                    return Some(ExitReason::error(refused.to_string()));
                }
            }
        }
        self.effects = effects;
        None
    }

    /// Does what needs no waiting.
    fn carry_out(&mut self, effect: CoreEffect<B>) -> Option<ExitReason> {
        match effect {
            // Otherwise it is tried again when the process is gone that is in its way.
            Effect::Retry { key } if self.in_the_way(key).is_none() => {
                self.subject.send(B::retry(key));
            }
            Effect::Retry { .. } => {}
            Effect::RetryAfter { key, delay } => drop(self.subject.send_after(delay, B::retry(key))),
            Effect::Rekey(children) => self.rekey(children),
            Effect::Forget { key } => discard(self.children.remove(&key)),
            Effect::Reply(outcome) => self.outcome = Some(outcome),
            Effect::Exit(ending) => return Some(self.end(ending)),
            Effect::Start { .. }
            | Effect::Stop(_)
            | Effect::StopAll(_)
            | Effect::Report(_)
            | Effect::Ready => {}
        }
        None
    }

    /// Files the children under their new keys, those that are given again with their new starts.
    fn rekey(&mut self, rekeyed: Vec<Rekeyed>) {
        let mut before = std::mem::take(&mut self.children);
        for Rekeyed { key, before: known } in rekeyed {
            let known = known.and_then(|key| before.remove(&key));
            let starts = known.as_ref().map_or(0, |child| child.starts);
            if let Some(launch) = self.incoming.pop_front() {
                discard(known);
                self.children.insert(key, Child { launch, starts });
            } else if let Some(known) = known {
                self.children.insert(key, known);
            }
        }
    }

    /// Tells the starter that all children run. If that one is gone by now, they are stopped again.
    fn ready(&mut self) -> Option<CoreEvent<B>> {
        let (ack, handle) = self.ack.take()?;
        ack.ready(handle).err().map(|_| Event::ShutDown { reason: ExitReason::Shutdown })
    }

    fn end(&mut self, ending: Ending<<B::Core as Core>::Id, ExitReason, StartError>) -> ExitReason {
        match ending {
            Ending::Shutdown => ExitReason::Shutdown,
            Ending::Asked(reason) => reason,
            Ending::FailedToStartChild { id, error } => {
                let failed = FailedToStartChild { id: B::Core::child_id(id), error };
                if let Some((ack, _)) = self.ack.take() {
                    ack.failed(failed.clone());
                }
                ExitReason::shutdown_with(failed)
            }
        }
    }

    /// What to tell the core of a child that was to be stopped.
    fn stopped(&mut self, Stop { key, pid, .. }: Stop<Pid>, stopped: Stopped) -> CoreEvent<B> {
        match stopped {
            Ok(reason) if self.unresponsive.stopped(pid) => Event::Stopped { key, reason },
            Ok(_) => Event::Unresponsive { key },
            Err(watch) => {
                self.unresponsive.abandon(pid, watch);
                Event::Unresponsive { key }
            }
        }
    }

    /// Runs a child's start to its end.
    async fn start(&mut self, key: ChildKey) -> CoreEvent<B> {
        if let Some(launch) = self.incoming.pop_front() {
            self.children.insert(key, Child { launch, starts: 0 });
        }
        if let Some(pid) = self.in_the_way(key) {
            return Event::StartFailed { key, error: StartError::Unresponsive(pid) };
        }
        let Some(child) = self.children.get_mut(&key) else {
            return Event::StartFailed { key, error: StartError::failed("the child's start is gone") };
        };
        child.starts += 1;
        let ack = self.ack.as_mut().map(|(ack, _)| ack);
        let started = unless_given_up(ack, async { (child.launch)().await });
        match catch(started).await.map(|started| started.unwrap_or_else(|| Err(StartError::failed(GivenUp))))
        {
            Ok(Ok(pid)) => Event::Started { key, pid },
            Ok(Err(StartError::Ignored)) => Event::Ignored { key },
            Ok(Err(error)) => self.start_failed(key, error),
            Err(reason) => self.start_failed(key, StartError::InitExited(reason)),
        }
    }

    fn start_failed(&mut self, key: ChildKey, error: StartError) -> CoreEvent<B> {
        let Self { core, unresponsive, .. } = self;
        unresponsive.forget_others(|pid| core.child_of(pid).is_some());
        if let (StartError::Unresponsive(pid), Some(child)) = (&error, core.child(key)) {
            unresponsive.abandon_start(child.rules.id.clone(), *pid);
        }
        Event::StartFailed { key, error }
    }

    /// A process that must have ended before this child is started.
    fn in_the_way(&self, key: ChildKey) -> Option<Pid> {
        self.unresponsive.of_start(&self.core.child(key)?.rules.id)
    }
}

impl<B: Behaviour> Drop for Shell<B> {
    fn drop(&mut self) {
        // One by one: two panics at once would end the program.
        self.children.drain().for_each(discard);
        self.incoming.drain(..).for_each(discard);
    }
}

/// What comes of a start, unless the starter of the whole supervisor gives up before.
async fn unless_given_up<D, T>(ack: Option<&mut InitAck<D>>, start: impl Future<Output = T>) -> Option<T> {
    let Some(ack) = ack else { return Some(start.await) };
    let (mut start, mut given_up) = (pin!(start), pin!(ack.given_up()));
    poll_fn(|context| match start.as_mut().poll(context) {
        Poll::Ready(started) => Poll::Ready(Some(started)),
        Poll::Pending => given_up.as_mut().poll(context).map(|()| None),
    })
    .await
}

/// A supervisor is not to come up any more.
#[derive(Debug)]
struct GivenUp;

impl fmt::Display for GivenUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the start of its supervisor was given up")
    }
}

impl std::error::Error for GivenUp {}
