//! GS: actors as `gen_server` has them.
//!
//! `GS-01`, `21`, `23`, `27` to `29`, `33` to `38`, `41`, `46`, `49`, `51`, `60` to `64` and `88` are in the tests of
//! `otp-actor`.

mod requests;
mod timeouts;

use std::time::Duration;

use erlang_process::{
    self as process, CallError, ExitMessage, ExitReason, Name, Node, NotRegistered, Reply, Selector, Subject,
};
use otp_actor::{self as actor, GenServer, Initialised, Next, StartError, Started, Step, send_request};
use otp_system as sys;
use tokio::time::Instant;

use crate::{
    reports::Reports,
    support::{LONG, alone, boom, dead, end_of, trapped, trapped_now, unread, until},
};

const MS: Duration = Duration::from_millis(1);

/// A message that is noted, and what is done next.
enum Note {
    Plain(&'static str),
    Idle(&'static str, Duration, &'static str),
    Timeout(&'static str, Duration, &'static str),
    Continue(&'static str, &'static str),
    /// When it was noted, in milliseconds since the start.
    Read(Reply<Vec<(&'static str, u128)>>),
}

struct Notes {
    start: Instant,
    notes: Vec<(&'static str, u128)>,
}

impl Notes {
    fn new() -> Self {
        Self { start: Instant::now(), notes: Vec::new() }
    }

    fn handle(&mut self, message: Note) -> Step<Note> {
        let now = self.start.elapsed().as_millis();
        let mut note = |text| self.notes.push((text, now));
        match message {
            Note::Plain(text) => note(text),
            Note::Idle(text, after, then) => {
                note(text);
                return Next::Continue.idle_timeout(after, Note::Plain(then));
            }
            Note::Timeout(text, after, then) => {
                note(text);
                return Next::Continue.timeout(after, Note::Plain(then));
            }
            Note::Continue(text, then) => {
                note(text);
                return Next::Continue.continue_with(Note::Plain(then));
            }
            Note::Read(reply) => reply.send(self.notes.clone()),
        }
        Next::Continue.into()
    }
}

async fn notes() -> Started<Subject<Note>> {
    actor::new(Notes::new()).on_message(Notes::handle).start().await.unwrap()
}

/// Reads the notes without being a message.
async fn read(started: &Started<Subject<Note>>) -> Vec<(&'static str, u128)> {
    sys::get_state(started.pid, LONG, |notes: &Notes| notes.notes.clone()).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn gs_01_three_ways_to_start() {
    alone(async {
        let me = process::current().unwrap();
        let links = |pid| Node::current().info(pid).unwrap().links;
        let new = || actor::new(Notes::new()).on_message(Notes::handle);
        assert_eq!(links(new().start().await.unwrap().pid), [me]);
        assert_eq!(links(new().start_unlinked().await.unwrap().pid), []);
        let (started, monitor) = new().start_monitored().await.unwrap();
        assert_eq!(links(started.pid), []);
        process::kill(started.pid);
        assert_eq!(monitor.down().await.unwrap().reason, ExitReason::Killed);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn gs_15_continue_comes_first() {
    alone(async {
        let init = async |own: Subject<Note>| {
            own.send(Note::Plain("to itself"));
            let ready = Initialised::new(Notes::new()).continue_with(Note::Continue("first", "second"));
            Ok::<_, StartError>(ready.returning(own))
        };
        let started = actor::with_initialiser(LONG, init).on_message(Notes::handle).start().await.unwrap();
        started.data.send(Note::Plain("sent"));
        let order: Vec<_> = read(&started).await.into_iter().map(|(text, _)| text).collect();
        assert_eq!(order, ["first", "second", "to itself", "sent"]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn gs_16_a_start_does_not_wait_for_continue() {
    async fn handle(_: &mut (), message: Option<Reply<()>>) {
        match message {
            None => tokio::time::sleep(500 * MS).await,
            Some(reply) => reply.send(()),
        }
    }
    alone(async {
        let start = Instant::now();
        let init = async |own: Subject<Option<Reply<()>>>| {
            Ok::<_, StartError>(Initialised::new(()).continue_with(None).returning(own))
        };
        let started = actor::with_initialiser(LONG, init).on_message_async(handle).start().await.unwrap();
        assert_eq!(start.elapsed(), Duration::ZERO);
        started.data.call(LONG, Some).await.unwrap();
        assert_eq!(start.elapsed(), 500 * MS);
    })
    .await;
}

/// Tells why it was terminated.
fn telling<M: Send + 'static>(
    handle: impl FnMut(&mut Subject<ExitReason>, M) -> Step<M> + Send + 'static,
    tell: Subject<ExitReason>,
) -> actor::Builder<
    actor::State<Subject<ExitReason>>,
    Subject<ExitReason>,
    M,
    impl actor::Handler<Subject<ExitReason>, M>,
> {
    actor::new(tell).on_message(handle).on_terminate(|tell, reason| tell.send(reason.clone()))
}

#[tokio::test(start_paused = true)]
async fn gs_18_continue_that_stops() {
    alone(async {
        let told = Subject::new().unwrap();
        let handle = |_: &mut Subject<ExitReason>, first: bool| match first {
            true => Next::Continue.continue_with(false),
            false => Next::Stop(ExitReason::Shutdown).into(),
        };
        let (started, monitor) = telling(handle, told.clone()).start_monitored().await.unwrap();
        started.data.send(true);
        assert_eq!(told.receive(LONG).await, Ok(ExitReason::Shutdown));
        assert_eq!(monitor.down().await.unwrap().reason, ExitReason::Shutdown);
    })
    .await;
}

/// What an initialiser without state returns.
type Init = Result<Initialised<(), (), ()>, StartError>;

/// Of a start that failed a caller that traps hears nothing but its error, and nothing is left.
async fn nothing_is_left() {
    assert_eq!((trapped_now().await, unread(), Node::current().processes().len()), (None, 0, 1));
}

#[tokio::test(start_paused = true)]
async fn gs_19_an_initialiser_that_fails() {
    alone(async {
        process::trap_exits(true).unwrap();
        let fails = async |_: Subject<()>| -> Init { Err(StartError::failed("no")) };
        let linked = actor::with_initialiser(LONG, fails).on_message(|(), ()| ()).start().await;
        let unlinked = actor::with_initialiser(LONG, fails).on_message(|(), ()| ()).start_unlinked().await;
        for started in [linked, unlinked] {
            let Err(StartError::InitFailed(error)) = started else { panic!("{started:?}") };
            assert_eq!(error.to_string(), "the initialiser failed: no");
        }
        nothing_is_left().await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn gs_20_no_exit_of_a_failed_start_reaches_a_caller_that_traps() {
    alone(async {
        process::trap_exits(true).unwrap();
        for _ in 0..100 {
            let fails = async |_: Subject<()>| -> Init { Err(StartError::failed("no")) };
            let started = actor::with_initialiser(LONG, fails).on_message(|(), ()| ()).start().await;
            started.unwrap_err();
            assert_eq!(trapped_now().await, None);
        }
        // Nor later.
        tokio::time::sleep(LONG).await;
        nothing_is_left().await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn gs_22_an_initialiser_that_ignores() {
    let (reports, _guard) = Reports::begin();
    alone(async {
        process::trap_exits(true).unwrap();
        let name = Name::<()>::new("ignored");
        for _ in 0..1000 {
            let ignore = async |_: Subject<()>| -> Init { Ok(Initialised::ignore()) };
            let builder = actor::with_initialiser(LONG, ignore).on_message(|(), ()| ());
            let started = builder.on_terminate(|(), _| panic!("never started")).named(name).start().await;
            assert!(matches!(started, Err(StartError::Ignored)), "{started:?}");
        }
        nothing_is_left().await;
    })
    .await;
    assert_eq!(reports.of("erlang_process::crash").len(), 0);
}

#[tokio::test(start_paused = true)]
async fn gs_26_an_initialiser_that_exits_or_panics() {
    alone(async {
        process::trap_exits(true).unwrap();
        let exits = async |_: Subject<()>| -> Init { process::exit(boom()) };
        let started = actor::with_initialiser(LONG, exits).on_message(|(), ()| ()).start().await;
        assert!(matches!(started, Err(StartError::InitExited(reason)) if reason == boom()));
        let panics = async |_: Subject<()>| -> Init { panic!("oh no") };
        let started = actor::with_initialiser(LONG, panics).on_message(|(), ()| ()).start().await;
        let Err(StartError::InitExited(ExitReason::Panic(panic))) = started else { panic!("{started:?}") };
        assert_eq!(panic.message(), "oh no");
        nothing_is_left().await;
    })
    .await;
}

/// What an actor that stops is asked.
struct Ask(Reply<&'static str>, ExitReason);

#[tokio::test(start_paused = true)]
async fn gs_39_a_reply_with_a_stop_comes_when_it_is_terminated() {
    alone(async {
        async fn terminate(at: &mut Option<Instant>, _: &ExitReason) {
            tokio::time::sleep(500 * MS).await;
            *at = Some(Instant::now());
        }
        let handle =
            |_: &mut Option<Instant>, Ask(reply, reason): Ask| Next::Stop(reason).replying(reply, "goodbye");
        let builder = actor::new(None).on_message(handle).on_terminate_async(terminate);
        let (started, monitor) = builder.start_monitored().await.unwrap();
        let start = Instant::now();
        let reply = started.data.call(LONG, |reply| Ask(reply, ExitReason::Normal)).await;
        assert_eq!((reply, start.elapsed()), (Ok("goodbye"), 500 * MS));
        assert_eq!(monitor.down().await.unwrap().reason, ExitReason::Normal);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn gs_40_a_reply_with_a_stop_comes_also_when_terminate_fails() {
    alone(async {
        let handle = |_: &mut (), Ask(reply, reason): Ask| Next::Stop(reason).replying(reply, "goodbye");
        let builder = actor::new(()).on_message(handle).on_terminate(|_, _| panic!("no"));
        let (started, monitor) = builder.start_monitored().await.unwrap();
        let reply = started.data.call(LONG, |reply| Ask(reply, ExitReason::Normal)).await;
        assert_eq!(reply, Ok("goodbye"));
        let ExitReason::Panic(panic) = monitor.down().await.unwrap().reason else { panic!("not a panic") };
        assert_eq!(panic.message(), "no");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn several_get_a_reply_with_a_stop() {
    alone(async {
        let handle = |first: &mut Option<Reply<_>>, Ask(reply, _): Ask| match first.take() {
            Some(first) => Next::stop().replying(first, "one").replying(reply, "two"),
            None => {
                *first = Some(reply);
                Next::Continue.into()
            }
        };
        let actor = actor::new(None).on_message(handle).start().await.unwrap().data;
        let ask = || send_request(&actor, |reply| Ask(reply, ExitReason::Normal));
        let (one, two) = (ask(), ask());
        assert_eq!((one.receive(LONG).await, two.receive(LONG).await), (Ok("one"), Ok("two")));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn gs_50_a_message_to_nobody_is_sent_at_once() {
    alone(async {
        let start = Instant::now();
        Name::<u32>::new("nobody").subject().send(1);
        let gone = process::spawn_subject(|_: Subject<u32>| async {});
        process::join(gone.pid().unwrap_or(dead().await)).await;
        gone.send(1);
        assert_eq!(start.elapsed(), Duration::ZERO);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn gs_53_a_message_that_nobody_expects() {
    let (reports, _guard) = Reports::begin();
    alone(async {
        let started = notes().await;
        Subject::to_pid(started.pid).unwrap().send("what?");
        started.data.send(Note::Plain("next"));
        assert_eq!(read(&started).await, [("next", 0)]);
    })
    .await;
    assert_eq!(reports.of("otp_actor").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn gs_54_what_takes_such_messages_fails_openly() {
    let (reports, _guard) = Reports::begin();
    alone(async {
        let init = async |own: Subject<u32>| {
            let selector = Selector::new().select_other(|_| panic!("not this"));
            Ok::<_, StartError>(Initialised::new(()).selecting(selector).returning(own))
        };
        let builder = actor::with_initialiser(LONG, init).on_message(|(), _: u32| ());
        let (started, monitor) = builder.start_monitored().await.unwrap();
        started.data.send(1);
        assert!(matches!(monitor.down().await.unwrap().reason, ExitReason::Panic(_)));
    })
    .await;
    assert_eq!(reports.of("otp_actor").len(), 0, "it was not dropped");
}

#[tokio::test(start_paused = true)]
async fn gs_55_without_terminate() {
    alone(async {
        let (started, monitor) =
            actor::new(()).on_message(|(), ()| Next::Stop(boom())).start_monitored().await.unwrap();
        started.data.send(());
        assert_eq!(monitor.down().await.unwrap().reason, boom());
    })
    .await;
}

/// How an actor may be made to end.
enum End {
    Stop,
    Panic,
    Exit,
}

#[tokio::test(start_paused = true)]
async fn terminate_is_called_when_otp_calls_it() {
    alone(async {
        let handle = |_: &mut Subject<ExitReason>, end: End| match end {
            End::Stop => Next::stop_abnormal("boom").into(),
            End::Panic => panic!("boom"),
            End::Exit => process::exit(boom()),
        };
        let told = Subject::new().unwrap();
        for end in [End::Stop, End::Panic, End::Exit] {
            let (started, monitor) = telling(handle, told.clone()).start_monitored().await.unwrap();
            started.data.send(end);
            let reason = monitor.down().await.unwrap().reason;
            assert_eq!(told.receive(Duration::ZERO).await, Ok(reason));
        }
        // Not by a signal that it does not trap, and not by a kill.
        for reason in [ExitReason::Shutdown, ExitReason::Kill] {
            let (started, monitor) = telling(handle, told.clone()).start_monitored().await.unwrap();
            process::send_exit(started.pid, reason);
            monitor.down().await.unwrap();
            assert!(told.receive(Duration::ZERO).await.is_err());
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn gs_60_terminate_when_the_parent_ends() {
    alone(async {
        let told = Subject::new().unwrap();
        let tell = told.clone();
        let parent = process::spawn_unlinked(async move {
            let init = async move |_: Subject<()>| {
                process::trap_exits(true)?;
                Ok::<_, process::NotAProcess>(Initialised::new(tell))
            };
            let builder = actor::with_initialiser(LONG, init).on_message(|_, ()| ());
            builder
                .on_terminate(|tell: &mut Subject<ExitReason>, reason| tell.send(reason.clone()))
                .start()
                .await?;
            Err::<(), _>(StartError::failed("boom"))
        });
        assert_eq!(process::join(parent).await, ExitReason::error(StartError::failed("boom")));
        let reason = told.receive(LONG).await.unwrap();
        assert_eq!(reason.to_string(), StartError::failed("boom").to_string());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn gs_66_stop() {
    alone(async {
        for reason in [ExitReason::Normal, ExitReason::Shutdown, boom()] {
            let told = Subject::new().unwrap();
            let handle = |_: &mut Subject<ExitReason>, ()| Next::Continue.into();
            let (started, monitor) = telling(handle, told.clone()).start_monitored().await.unwrap();
            actor::stop(started.pid, reason.clone(), LONG).await.unwrap();
            assert_eq!(monitor.down().await.unwrap().reason, reason);
            assert_eq!(told.receive(Duration::ZERO).await, Ok(reason));
        }
        let started = actor::new(()).on_message_async(hang).start_unlinked().await.unwrap();
        started.data.send(());
        let stopped = actor::stop(started.pid, ExitReason::Normal, 50 * MS).await;
        assert_eq!(stopped, Err(CallError::Timeout));
        // Told to all the same: it ends when it has done what it does.
        assert_eq!(end_of(started.pid).await, ExitReason::Normal);
    })
    .await;
}

async fn hang(_: &mut (), (): ()) {
    tokio::time::sleep(500 * MS).await;
}

#[tokio::test(start_paused = true)]
async fn gs_68_stop_while_terminate_fails() {
    alone(async {
        let builder = actor::new(()).on_message(|(), ()| ()).on_terminate(|(), _| process::exit(boom()));
        let started = builder.start_unlinked().await.unwrap();
        let stopped = actor::stop(started.pid, ExitReason::Normal, LONG).await;
        assert_eq!(stopped, Err(CallError::Down(boom())));
    })
    .await;
}

/// An actor with a secret, a label and a name, which stops for the reasons that it is sent.
async fn crasher(name: Name<ExitReason>) -> Started<Subject<ExitReason>> {
    let init = async |own: Subject<ExitReason>| {
        process::set_label("the crasher")?;
        Ok::<_, process::NotAProcess>(Initialised::new("secret").returning(own))
    };
    let builder = actor::with_initialiser(LONG, init).on_message(|_, reason| Next::Stop(reason));
    let builder = builder.describe(|state| format!("{} letters", state.len()));
    builder.named(name).start_unlinked().await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn gs_71_crashes_are_reported_and_orderly_ends_are_not() {
    let (reports, _guard) = Reports::begin();
    alone(async move {
        let name = Name::<ExitReason>::new("crashing");
        for reason in [ExitReason::Normal, ExitReason::Shutdown, ExitReason::shutdown_with("done")] {
            let started = crasher(name).await;
            started.data.send(reason.clone());
            assert!([reason, ExitReason::NoProc].contains(&end_of(started.pid).await));
            until(|| Node::current().processes().len() == 1).await;
        }
        assert_eq!(reports.of("otp_actor::crash").len(), 0);

        let started = crasher(name).await;
        started.data.send(boom());
        until(|| !reports.of("otp_actor::crash").is_empty()).await;
        let report = &reports.of("otp_actor::crash")[0];
        assert_eq!(report.field("reason"), Some("boom"));
        assert_eq!(report.field("last_message"), Some(std::any::type_name::<ExitReason>()));
        assert_eq!(report.field("name"), Some(name.to_string().as_str()));
        assert_eq!(report.field("pid"), Some(started.pid.to_string().as_str()));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn gs_87_a_described_state_is_what_status_and_report_show() {
    let (reports, _guard) = Reports::begin();
    alone(async move {
        let started = crasher(Name::new("crashing")).await;
        let status = sys::get_status(started.pid, LONG).await.unwrap();
        assert_eq!(status.state.as_deref(), Some("6 letters"));
        started.data.send(boom());
        until(|| !reports.of("otp_actor::crash").is_empty()).await;
        assert_eq!(reports.of("otp_actor::crash")[0].field("state"), Some("6 letters"));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn gs_88_a_description_that_panics_is_replaced_and_takes_nothing_down() {
    let (reports, _guard) = Reports::begin();
    alone(async move {
        let builder = actor::new(()).on_message(|(), reason| Next::Stop(reason)).describe(|()| panic!("no"));
        let started = builder.start_unlinked().await.unwrap();
        started.data.send(boom());
        until(|| !reports.of("otp_actor::crash").is_empty()).await;
        let report = &reports.of("otp_actor::crash")[0];
        assert_eq!(report.field("state"), Some("the description of the state panicked"));
        assert_eq!(report.field("reason"), Some("boom"));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn gs_89_a_label_is_in_the_report() {
    let (reports, _guard) = Reports::begin();
    alone(async move {
        let started = crasher(Name::new("crashing")).await;
        started.data.send(boom());
        until(|| !reports.of("otp_actor::crash").is_empty()).await;
        assert_eq!(reports.of("otp_actor::crash")[0].field("label"), Some("the crasher"));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_crash_is_reported_when_everyone_has_been_told() {
    let (reports, _guard) = Reports::begin();
    alone(async move {
        let (started, monitor) =
            actor::new(()).on_message(|(), ()| Next::Stop(boom())).start_monitored().await.unwrap();
        started.data.send(());
        assert_eq!(monitor.down().await.unwrap().reason, boom());
        assert!(Node::current().info(started.pid).is_none());
        until(|| reports.of("otp_actor::crash").len() == 1).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn gs_84_any_process_may_enter_the_loop() {
    alone(async {
        let own = process::spawn_subject(|own: Subject<Note>| async move {
            actor::new(Notes::new()).on_message(Notes::handle).enter_loop(own).await
        });
        own.send(Note::Plain("hello"));
        assert_eq!(own.call(LONG, Note::Read).await.unwrap(), [("hello", 0)]);
        let pid = own.pid().unwrap();
        assert_eq!(sys::get_status(pid, LONG).await.unwrap().parent, process::current());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn gs_85_only_with_a_name_that_it_holds() {
    alone(async {
        process::trap_exits(true).unwrap();
        let name = Name::<Note>::new("claimed");
        process::spawn_subject(move |own: Subject<Note>| async move {
            actor::new(Notes::new()).on_message(Notes::handle).named(name).enter_loop(own).await
        });
        assert_eq!(trapped().await.reason, ExitReason::error(NotRegistered));

        process::spawn_subject(move |own: Subject<Note>| async move {
            process::register(process::current().unwrap(), name).unwrap();
            actor::new(Notes::new()).on_message(Notes::handle).named(name).enter_loop(own).await
        });
        until(|| process::whereis(name).is_some()).await;
        name.subject().send(Note::Plain("hello"));
        assert_eq!(name.subject().call(LONG, Note::Read).await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn gs_86_with_a_timeout_and_with_continue() {
    alone(async {
        for continues in [true, false] {
            let own = process::spawn_subject(move |own: Subject<Note>| async move {
                let init = async move |own: Subject<Note>| {
                    let ready = Initialised::new(Notes::new()).returning(own);
                    Ok::<_, StartError>(match continues {
                        true => ready.continue_with(Note::Plain("continue")),
                        false => ready.idle_timeout(100 * MS, Note::Plain("idle")),
                    })
                };
                actor::with_initialiser(LONG, init).on_message(Notes::handle).enter_loop(own).await
            });
            tokio::time::sleep(200 * MS).await;
            let expected = if continues { ("continue", 0) } else { ("idle", 100) };
            assert_eq!(own.call(LONG, Note::Read).await.unwrap(), [expected]);
        }
    })
    .await;
}

struct Counter(u32, Subject<String>);

enum Count {
    Add(u32),
    Get(Reply<u32>),
    Exit(ExitMessage),
}

impl GenServer for Counter {
    type Args = Subject<String>;
    type Message = Count;
    type Next = Result<Next, ExitReason>;

    async fn init(
        tell: Subject<String>,
        own: Subject<Count>,
    ) -> Result<Initialised<Self, Count, ()>, actor::BoxError> {
        process::trap_exits(true)?;
        let selector = Selector::new().select(&own, |message| message).select_trapped_exits(Count::Exit);
        Ok(Initialised::new(Self(0, tell)).selecting(selector).continue_with(Count::Add(1)))
    }

    async fn handle(&mut self, message: Count) -> Result<Next, ExitReason> {
        match message {
            Count::Add(n) => self.0 += n,
            Count::Get(reply) => reply.send(self.0),
            Count::Exit(exit) => return Err(exit.reason),
        }
        Ok(Next::Continue)
    }

    async fn terminate(&mut self, reason: &ExitReason) {
        self.1.send(format!("{} at {}", reason, self.0));
    }

    fn describe(&self) -> Option<String> {
        Some(format!("counted to {}", self.0))
    }
}

#[tokio::test(start_paused = true)]
async fn a_trait_with_callbacks_is_the_same_actor() {
    alone(async {
        process::trap_exits(true).unwrap();
        let told = Subject::new().unwrap();
        let counter = actor::server::<Counter>(told.clone()).start().await.unwrap();
        counter.data.send(Count::Add(2));
        assert_eq!(counter.data.call(LONG, Count::Get).await, Ok(3));
        let status = sys::get_status(counter.pid, LONG).await.unwrap();
        assert_eq!(status.state.as_deref(), Some("counted to 3"));
        let info = Node::current().info(counter.pid).unwrap();
        assert!(info.initial_call.ends_with("gs::Counter"), "{}", info.initial_call);
        let stranger = process::spawn_unlinked(async move { process::send_exit(counter.pid, boom()) });
        assert_eq!(trapped().await.reason, boom());
        assert!(!process::is_alive(stranger));
        assert_eq!(told.receive(LONG).await.unwrap(), "boom at 3");
    })
    .await;
}

/// It is a documentation test of `otp-supervisor`.
#[test]
fn the_supervised_counter_takes_at_most_25_lines() {
    let readme = include_str!("../../../crates/otp-supervisor/README.md");
    let section = readme.split("## A counter that survives").nth(1).unwrap();
    let program = section.split("```").nth(1).unwrap();
    let lines = program.lines().skip(1).map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with("//")).count();
    assert!((20..=25).contains(&lines), "{lines} lines");
}
