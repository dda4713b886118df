//! Traces as text: for the start and for each step `answers|events|state`, joined by `;`. Events stand behind the
//! supervisor that saw them, `/s#2` being the second one at `s`.

use std::{collections::BTreeMap, fmt::Write as _};

use otp_supervisor::testing::{Answer, Happening, Model, Reason, Report};

use crate::scenario::{Scenario, Step, parent, reason_word};

/// What is at rest: each child with the process it has; or how the root has ended.
pub(crate) type State = Result<Vec<(String, Option<usize>)>, Reason>;

/// Writes a trace.
#[derive(Default)]
pub(crate) struct Teller {
    /// The how-manyth supervisor stands at a path now.
    nth: BTreeMap<String, usize>,
    steps: Vec<String>,
}

impl Teller {
    pub(crate) fn step(&mut self, answers: &[Answer], story: &[Happening], state: &State) {
        let events: Vec<_> = story.iter().filter_map(|happening| self.event(happening)).collect();
        self.steps.push(write_step(answers, &events, state));
    }

    fn event(&mut self, happening: &Happening) -> Option<String> {
        let above = parent(happening.path());
        let mut text = format!("/{above}#{} ", self.nth.get(above).copied().unwrap_or(0));
        let told = match happening {
            Happening::Started(path, nth) => {
                self.nth.insert(path.clone(), *nth);
                write!(text, "start {path} {nth}")
            }
            Happening::Ended(path, nth, reason) => write!(text, "end {path} {nth} {}", reason_word(*reason)),
            Happening::Stopped(path, nth, reason) => {
                write!(text, "stop {path} {nth} {}", reason_word(*reason))
            }
            // Nobody sees it.
            Happening::Orphaned(..) => return None,
            Happening::Reported(path, report) => match report {
                Report::ChildTerminated(reason) => {
                    write!(text, "report {path} child_terminated {}", reason_word(*reason))
                }
                Report::StartError => write!(text, "report {path} start_error"),
                Report::ShutdownError(reason, count) => {
                    write!(text, "report {path} shutdown_error {} {count}", reason_word(*reason))
                }
                Report::GaveUp => write!(text, "report {path} gave_up"),
            },
        };
        told.unwrap();
        Some(text)
    }

    pub(crate) fn told(self) -> String {
        self.steps.join(";")
    }
}

pub(crate) fn write_step(answers: &[Answer], events: &[String], state: &State) -> String {
    let answers: Vec<_> = answers.iter().copied().map(answer_word).collect();
    let state = match state {
        Ok(children) => {
            let nth = |process: &Option<usize>| process.map_or("-".to_owned(), |nth| nth.to_string());
            let shown = children.iter().map(|(path, process)| format!("{path} {}", nth(process)));
            shown.collect::<Vec<_>>().join(",")
        }
        Err(reason) => format!("ended {}", reason_word(*reason)),
    };
    format!("{}|{}|{state}", answers.join(","), events.join(","))
}

/// The trace of a scenario by the model.
pub(crate) fn of_model(scenario: &Scenario) -> String {
    tell_model(scenario, |_| true)
}

/// The same, as far as it can be seen of processes: without the reports, and with one word for an end, whether it was
/// asked for or not.
pub(crate) fn of_model_seen(scenario: &Scenario) -> String {
    let told = tell_model(scenario, |happening| !matches!(happening, Happening::Reported(..)));
    told.replace(" stop ", " end ")
}

/// Who has ended unseen, because its supervisor was killed.
pub(crate) fn orphans(scenario: &Scenario) -> Vec<(String, usize)> {
    let mut orphans = Vec::new();
    tell_model(scenario, |happening| {
        if let Happening::Orphaned(path, nth) = happening {
            orphans.push((path.clone(), *nth));
        }
        true
    });
    orphans
}

/// A trace without the ends of these.
pub(crate) fn without(trace: &str, orphans: &[(String, usize)]) -> String {
    let orphans: Vec<_> = orphans.iter().map(|(path, nth)| format!(" end {path} {nth} ")).collect();
    let step = |step: &str| {
        let mut parts = step.splitn(3, '|').map(str::to_owned);
        let (Some(answers), Some(events), Some(state)) = (parts.next(), parts.next(), parts.next()) else {
            return step.to_owned();
        };
        let kept = events.split(',').filter(|event| !orphans.iter().any(|orphan| event.contains(orphan)));
        format!("{answers}|{}|{state}", kept.collect::<Vec<_>>().join(","))
    };
    trace.split(';').map(step).collect::<Vec<_>>().join(";")
}

fn tell_model(scenario: &Scenario, mut tells: impl FnMut(&Happening) -> bool) -> String {
    let mut model = Model::new(scenario.tree.clone());
    let mut teller = Teller::default();
    let mut tell = |answers: &[Answer], model: &mut Model| {
        let story: Vec<_> = model.story().into_iter().filter(&mut tells).collect();
        teller.step(answers, &story, &state(model));
    };
    tell(&[], &mut model);
    for step in &scenario.steps {
        let answers = step_of_model(&mut model, step);
        tell(&answers, &mut model);
    }
    teller.told()
}

fn step_of_model(model: &mut Model, step: &Step) -> Vec<Answer> {
    match step {
        Step::Deeds(deeds) => return model.at_once(deeds),
        Step::Wait(seconds) => model.wait(std::time::Duration::from_secs(*seconds)),
        Step::Stop => model.stop(),
    }
    Vec::new()
}

fn state(model: &Model) -> State {
    match model.ended() {
        Some(reason) => Err(reason),
        None => Ok(model.children().into_iter().map(|(path, process, _)| (path, process)).collect()),
    }
}

fn answer_word(answer: Answer) -> &'static str {
    match answer {
        Answer::Done => "done",
        Answer::Ignored => "ignored",
        Answer::Failed => "failed",
        Answer::AlreadyStarted => "already_started",
        Answer::AlreadyPresent => "already_present",
        Answer::Running => "running",
        Answer::Restarting => "restarting",
        Answer::NotFound => "not_found",
        Answer::SignificantNever => "significant_never",
        Answer::SignificantPermanent => "significant_permanent",
        Answer::Gone => "gone",
    }
}

/// The trace in normal form, a string for each step: supervisors are told one after the other, as nothing promises in
/// which order two of them see anything, and so are the stops of a factory.
pub(crate) fn normal(scenario: &Scenario, trace: &str) -> Vec<String> {
    let factories = factories(scenario);
    let step = |step: &str| {
        let mut parts = step.splitn(3, '|');
        let (Some(answers), Some(events), Some(state)) = (parts.next(), parts.next(), parts.next()) else {
            return step.to_owned();
        };
        let mut seen: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (supervisor, event) in events.split(',').filter_map(|event| event.split_once(' ')) {
            seen.entry(supervisor).or_default().push(event);
        }
        let seen = seen.into_iter().map(|(supervisor, mut events)| {
            if factories.iter().any(|path| supervisor.starts_with(&format!("/{path}#"))) {
                let at_once = |event: &&str| {
                    event.starts_with("stop")
                        || event.starts_with("end")
                        || event.contains("* shutdown_error")
                };
                events.chunk_by_mut(|a, b| at_once(a) && at_once(b)).for_each(<[_]>::sort_unstable);
            }
            format!("{supervisor}: {}", events.join(", "))
        });
        format!("{answers} | {} | {state}", seen.collect::<Vec<_>>().join(" "))
    };
    trace.split(';').map(step).collect()
}

fn factories(scenario: &Scenario) -> Vec<String> {
    use otp_supervisor::testing::{Body, Kind, Tree};
    fn below(path: &str, tree: &Tree, all: &mut Vec<String>) {
        if let Kind::Factory { .. } = tree.kind {
            all.push(path.to_owned());
        }
        for child in &tree.children {
            if let Body::Supervisor(tree) = &child.body {
                below(&crate::scenario::join(path, &child.id), tree, all);
            }
        }
    }
    let mut all = Vec::new();
    below("", &scenario.tree, &mut all);
    all
}
