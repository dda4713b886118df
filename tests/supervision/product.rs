//! The table of one child's ends, whole: strategy, restart, how it is stopped, why it ends, automatic shutdown,
//! significance and intensity. The child has a sibling on each side.

use std::time::Duration;

use otp_supervisor::{
    AutoShutdown, Restart, Shutdown, Strategy,
    testing::{Child, Deed, Manner, Reason, Tree},
};

use crate::scenario::{Scenario, Step};

const STRATEGIES: [Strategy; 3] = [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne];
const RESTARTS: [Restart; 3] = [Restart::Permanent, Restart::Transient, Restart::Temporary];
const STOPS: [Shutdown; 3] = [Shutdown::BrutalKill, Shutdown::WORKER, Shutdown::Infinity];
const REASONS: [Reason; 5] =
    [Reason::Normal, Reason::Shutdown, Reason::ShutdownWith, Reason::Killed, Reason::Crash];
const AUTOS: [AutoShutdown; 3] =
    [AutoShutdown::Never, AutoShutdown::AnySignificant, AutoShutdown::AllSignificant];

pub(crate) fn table() -> Vec<Scenario> {
    let mut table = Vec::new();
    for strategy in STRATEGIES {
        for restart in RESTARTS {
            for shutdown in STOPS {
                for reason in REASONS {
                    for auto_shutdown in AUTOS {
                        for significant in [false, true] {
                            for intensity in [0, 1] {
                                let tree = Tree::new(strategy)
                                    .restart_tolerance(intensity, Duration::from_secs(5))
                                    .auto_shutdown(auto_shutdown)
                                    .child(Child::worker("a"));
                                // It ends of its own when it is asked to, for the reason of the row.
                                let manner = match reason {
                                    Reason::Killed | Reason::Shutdown => Manner::Obeys,
                                    reason => Manner::EndsWith(reason),
                                };
                                let child = Child::worker("b")
                                    .restart(restart)
                                    .shutdown(shutdown)
                                    .significant(significant)
                                    .manner(manner);
                                table.push(scenario(tree, child, reason));
                            }
                        }
                    }
                }
            }
        }
    }
    table
}

/// The child is started by hand, so that one that is refused is part of the table; then it ends.
fn scenario(tree: Tree, child: Child, reason: Reason) -> Scenario {
    let step = |deed| Step::Deeds(vec![deed]);
    let start = |child: Child| step(Deed::Start(child.id.clone(), Box::new(child)));
    let steps = vec![
        start(child),
        start(Child::worker("c")),
        step(Deed::Exit("b".to_owned(), reason)),
        step(Deed::Terminate("b".to_owned())),
        step(Deed::Restart("b".to_owned())),
        Step::Stop,
    ];
    Scenario { tree, steps }
}
