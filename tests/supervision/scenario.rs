//! Scenarios: a tree, and what is done to it. As data, and as the text that stands in the files of `cases/` and that
//! Erlang is told.
//!
//! ```text
//! tree one_for_all 1 5 never                       strategy, intensity, period, automatic shutdown
//! child a permanent - 5000 obeys ok.fail worker    restart, significant, shutdown, manner, starts, what it is
//! child s transient - infinity - ok one_for_one 1 5 never
//! child s/x temporary - brutal_kill crash ok worker
//! child f permanent - infinity - ok factory 1 5 transient 5000 obeys
//! exit a crash                                     a step
//! exit a crash,terminate s                         several deeds before the supervisor looks
//! hang a                                           from here on it hangs when it is asked to end
//! start f/1 transient - 5000 obeys ok worker
//! wait 6
//! stop
//! ```

use std::{fmt::Write as _, time::Duration};

use otp_supervisor::{
    AutoShutdown, Restart, Shutdown, Strategy,
    testing::{Body, Child, Deed, Kind, Manner, Reason, Start, Tree},
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scenario {
    pub(crate) tree: Tree,
    pub(crate) steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Deeds on children of one supervisor, before it looks.
    Deeds(Vec<Deed>),
    /// Seconds.
    Wait(u64),
    Stop,
}

// Written

impl Scenario {
    pub(crate) fn text(&self) -> String {
        let mut lines = vec![format!("tree {}", kind_text(&self.tree))];
        child_lines("", &self.tree, &mut lines);
        lines.extend(self.steps.iter().map(Step::text));
        lines.join(";")
    }
}

impl Step {
    fn text(&self) -> String {
        match self {
            Self::Deeds(deeds) => deeds.iter().map(deed_text).collect::<Vec<_>>().join(","),
            Self::Wait(seconds) => format!("wait {seconds}"),
            Self::Stop => "stop".to_owned(),
        }
    }
}

fn child_lines(above: &str, tree: &Tree, lines: &mut Vec<String>) {
    for child in &tree.children {
        let path = join(above, &child.id);
        lines.push(format!("child {}", child_text(&path, child)));
        if let Body::Supervisor(tree) = &child.body {
            child_lines(&path, tree, lines);
        }
    }
}

fn child_text(path: &str, child: &Child) -> String {
    let significant = if child.significant { "significant" } else { "-" };
    let (manner, kind) = match &child.body {
        Body::Worker(manner) => (manner_word(*manner), "worker".to_owned()),
        Body::Supervisor(tree) => ("-", kind_text(tree)),
    };
    let starts = child.starts.iter().map(|start| match start {
        Start::Up => "ok",
        Start::Fails => "fail",
        Start::Ignores => "ignore",
    });
    let starts = starts.collect::<Vec<_>>().join(".");
    let starts = if starts.is_empty() { "ok" } else { &starts };
    let (restart, shutdown) = (restart_word(child.restart), shutdown_word(child.shutdown));
    format!("{path} {restart} {significant} {shutdown} {manner} {starts} {kind}")
}

fn kind_text(tree: &Tree) -> String {
    let tolerance = format!("{} {}", tree.intensity, tree.period.as_secs());
    match &tree.kind {
        Kind::Static { strategy, auto_shutdown } => {
            format!("{} {tolerance} {}", strategy_word(*strategy), auto_word(*auto_shutdown))
        }
        Kind::Factory { template } => {
            let Body::Worker(manner) = template.body else { panic!("factories are of workers here") };
            let (restart, shutdown) = (restart_word(template.restart), shutdown_word(template.shutdown));
            format!("factory {tolerance} {restart} {shutdown} {}", manner_word(manner))
        }
    }
}

fn deed_text(deed: &Deed) -> String {
    match deed {
        Deed::Exit(path, reason) => format!("exit {path} {}", reason_word(*reason)),
        Deed::Start(path, child) => format!("start {}", child_text(path, child)),
        Deed::Hang(path) => format!("hang {path}"),
        Deed::Terminate(path) => format!("terminate {path}"),
        Deed::Restart(path) => format!("restart {path}"),
        Deed::Delete(path) => format!("delete {path}"),
    }
}

// Read

impl Scenario {
    /// Panics if the text makes no sense: it is ours.
    pub(crate) fn read(text: &str) -> Self {
        let mut lines = text.split(';').map(str::trim);
        let words: Vec<_> = lines.next().unwrap().split(' ').collect();
        let mut tree = read_tree(&words[1..]);
        let mut steps = Vec::new();
        for line in lines {
            match line.split_once(' ') {
                Some(("child", child)) => {
                    let (path, child) = read_child(child);
                    place(&mut tree, &path, child);
                }
                Some(("wait", seconds)) => steps.push(Step::Wait(seconds.parse().unwrap())),
                None if line == "stop" => steps.push(Step::Stop),
                _ => steps.push(Step::Deeds(line.split(',').map(read_deed).collect())),
            }
        }
        Self { tree, steps }
    }
}

fn place(tree: &mut Tree, path: &str, child: Child) {
    match path.split_once('/') {
        None => tree.children.push(child),
        Some((id, rest)) => {
            let above = tree.children.iter_mut().find(|child| child.id == id).unwrap();
            let Body::Supervisor(tree) = &mut above.body else { panic!("{id} is no supervisor") };
            place(tree, rest, child);
        }
    }
}

fn read_child(text: &str) -> (String, Child) {
    let words: Vec<_> = text.split(' ').collect();
    let [path, restart, significant, shutdown, manner, starts, kind @ ..] = &words[..] else {
        panic!("what is the child {text}?")
    };
    let id = path.rsplit('/').next().unwrap();
    let child = match kind {
        ["worker"] => Child::worker(id).manner(find(MANNERS, manner)),
        _ => Child::supervisor(id, read_tree(kind)),
    };
    let starts = starts.split('.').map(|start| match start {
        "fail" => Start::Fails,
        "ignore" => Start::Ignores,
        _ => Start::Up,
    });
    let starts: Vec<_> = starts.collect();
    let child = child
        .restart(find(RESTARTS, restart))
        .significant(*significant == "significant")
        .shutdown(read_shutdown(shutdown))
        .starts(if starts == [Start::Up] { Vec::new() } else { starts });
    ((*path).to_owned(), child)
}

fn read_tree(words: &[&str]) -> Tree {
    let seconds = |text: &str| Duration::from_secs(text.parse().unwrap());
    match words {
        ["factory", intensity, period, restart, shutdown, manner] => {
            let template = Child::worker("any").manner(find(MANNERS, manner));
            let template = template.restart(find(RESTARTS, restart)).shutdown(read_shutdown(shutdown));
            Tree::factory(template).restart_tolerance(intensity.parse().unwrap(), seconds(period))
        }
        [strategy, intensity, period, auto] => Tree::new(find(STRATEGIES, strategy))
            .restart_tolerance(intensity.parse().unwrap(), seconds(period))
            .auto_shutdown(find(AUTOS, auto)),
        _ => panic!("what is the tree {words:?}?"),
    }
}

fn read_deed(text: &str) -> Deed {
    let (what, rest) = text.split_once(' ').unwrap();
    match what {
        "exit" => {
            let (path, reason) = rest.split_once(' ').unwrap();
            Deed::Exit(path.to_owned(), find(REASONS, reason))
        }
        "start" => {
            let (path, child) = read_child(rest);
            Deed::Start(path, Box::new(child))
        }
        "hang" => Deed::Hang(rest.to_owned()),
        "terminate" => Deed::Terminate(rest.to_owned()),
        "restart" => Deed::Restart(rest.to_owned()),
        "delete" => Deed::Delete(rest.to_owned()),
        _ => panic!("what is it to {what}?"),
    }
}

// Words

const REASONS: &[(Reason, &str)] = &[
    (Reason::Normal, "normal"),
    (Reason::Shutdown, "shutdown"),
    (Reason::ShutdownWith, "stop"),
    (Reason::Killed, "killed"),
    (Reason::Crash, "crash"),
];

const MANNERS: &[(Manner, &str)] = &[
    (Manner::Obeys, "obeys"),
    (Manner::EndsWith(Reason::Normal), "normal"),
    (Manner::EndsWith(Reason::ShutdownWith), "stop"),
    (Manner::EndsWith(Reason::Crash), "crash"),
    (Manner::Hangs, "hangs"),
];

const RESTARTS: &[(Restart, &str)] = &[
    (Restart::Permanent, "permanent"),
    (Restart::Transient, "transient"),
    (Restart::Temporary, "temporary"),
];

const STRATEGIES: &[(Strategy, &str)] = &[
    (Strategy::OneForOne, "one_for_one"),
    (Strategy::OneForAll, "one_for_all"),
    (Strategy::RestForOne, "rest_for_one"),
];

const AUTOS: &[(AutoShutdown, &str)] = &[
    (AutoShutdown::Never, "never"),
    (AutoShutdown::AnySignificant, "any_significant"),
    (AutoShutdown::AllSignificant, "all_significant"),
];

fn find<T: Copy>(all: &[(T, &str)], word: &str) -> T {
    all.iter().find(|(_, name)| *name == word).unwrap_or_else(|| panic!("what is {word}?")).0
}

fn word<T: Copy + PartialEq>(all: &[(T, &'static str)], it: T) -> &'static str {
    all.iter().find(|(other, _)| *other == it).unwrap().1
}

pub(crate) fn reason_word(reason: Reason) -> &'static str {
    word(REASONS, reason)
}

fn manner_word(manner: Manner) -> &'static str {
    word(MANNERS, manner)
}

fn restart_word(restart: Restart) -> &'static str {
    word(RESTARTS, restart)
}

fn strategy_word(strategy: Strategy) -> &'static str {
    word(STRATEGIES, strategy)
}

fn auto_word(auto_shutdown: AutoShutdown) -> &'static str {
    word(AUTOS, auto_shutdown)
}

fn shutdown_word(shutdown: Shutdown) -> String {
    let mut text = String::new();
    match shutdown {
        Shutdown::BrutalKill => text += "brutal_kill",
        Shutdown::Infinity => text += "infinity",
        Shutdown::After(patience) => write!(text, "{}", patience.as_millis()).unwrap(),
    }
    text
}

fn read_shutdown(word: &str) -> Shutdown {
    match word {
        "brutal_kill" => Shutdown::BrutalKill,
        "infinity" => Shutdown::Infinity,
        _ => Shutdown::After(Duration::from_millis(word.parse().unwrap())),
    }
}

pub(crate) fn join(above: &str, id: &str) -> String {
    if above.is_empty() { id.to_owned() } else { format!("{above}/{id}") }
}

pub(crate) fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

pub(crate) fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap()
}
