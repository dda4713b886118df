//! Whether a tree does what the model says.

use std::collections::BTreeMap;

use erlang_process::Pid;

use super::World;
use crate::testing::{Deed, Model, Reason, stage::View};

/// A model of a tree at rest.
pub(super) fn model_of(view: &View) -> Model {
    let mut model = Model::new(view.tree.clone());
    for seen in &view.children {
        if seen.by_hand {
            model.act(&Deed::Start(seen.path.clone(), Box::new(seen.child.clone())));
        } else if seen.pid.is_none() {
            model.act(&Deed::Terminate(seen.path.clone()));
        }
    }
    model
}

pub(super) fn processes(model: &Model) -> Vec<(String, Option<usize>)> {
    model.children().into_iter().map(|(path, process, _)| (path, process)).collect()
}

/// Whether the tree looks as the model says, given how both looked before. The error is what the model says.
pub(super) fn follows<D>(
    model_before: &BTreeMap<String, Option<usize>>,
    model: &Model,
    before: &[(String, Option<Pid>)],
    world: &World<D>,
) -> Result<(), String> {
    let is = |ended: Option<Reason>| {
        ended.map_or("it runs".to_owned(), |reason| format!("it has ended ({reason:?})"))
    };
    if model.ended() != world.ended {
        return Err(format!("OTP's supervisor says: {}", is(model.ended())));
    }
    let model_now = processes(model);
    let paths = |children: Vec<&str>| children.join(", ");
    let (expected, found): (Vec<&str>, Vec<&str>) =
        (model_now.iter().map(|(path, _)| path.as_str()).collect(), world.children().collect());
    if expected != found {
        return Err(format!(
            "the children that OTP's supervisor has: {}; these are: {}",
            paths(expected),
            paths(found)
        ));
    }
    for ((path, nth), (_, pid)) in model_now.iter().zip(&world.children) {
        let was = before.iter().find(|(known, _)| known == path).and_then(|(_, pid)| *pid);
        let nth_was = model_before.get(path).copied().flatten();
        match (nth, pid) {
            (Some(_), None) => return Err(format!("OTP's supervisor has {path} running")),
            (None, Some(_)) => return Err(format!("OTP's supervisor does not have {path} running")),
            (Some(_), Some(_)) if *nth != nth_was && *pid == was => {
                return Err(format!("OTP's supervisor has restarted {path}"));
            }
            (Some(_), Some(_)) if *nth == nth_was && *pid != was => {
                return Err(format!("OTP's supervisor has not touched {path}"));
            }
            _ => {}
        }
    }
    Ok(())
}
