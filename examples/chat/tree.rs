//! The live tree, as its supervisors tell it.

use std::fmt::{Display, Write as _};

use erlang_process::{CallError, Info, Name, Node, Pid};
use otp_supervisor::{
    ChildInfo, ChildType,
    factory_supervisor::Supervisor as Factory,
    static_supervisor::{self, Supervisor},
};
use tokio::runtime::Handle;

use crate::{room, session};

/// The name of the root.
pub(crate) const ROOT: Name<static_supervisor::Message> = Name::fixed("chat");

/// Draws the tree: a line for each process.
pub(crate) async fn draw() -> Result<String, CallError> {
    let mut tree = String::new();
    let root = Supervisor::named(ROOT);
    line(&mut tree, 0, "supervisor", "chat", root.pid(), 0);
    for child in root.which_children().await?.iter().rev() {
        let id = child.rules.id.to_string();
        draw_child(&mut tree, 1, child);
        let below = match id.as_str() {
            "rooms" => Factory::named(room::FACTORY).which_children().await?,
            "sessions" => Factory::named(session::FACTORY).which_children().await?,
            _ => continue,
        };
        for child in below.iter().rev() {
            draw_child(&mut tree, 2, child);
        }
    }
    Ok(tree)
}

fn draw_child<I: Display>(tree: &mut String, depth: usize, child: &ChildInfo<I>) {
    let kind = match child.rules.child_type {
        ChildType::Supervisor => "supervisor",
        ChildType::Worker => "worker",
    };
    line(tree, depth, kind, &child.rules.id, child.pid(), child.restarts);
}

fn line(tree: &mut String, depth: usize, kind: &str, id: impl Display, pid: Option<Pid>, restarts: u64) {
    let info: Option<Info> = pid.and_then(|pid| Node::current().info(pid));
    let pid = pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string());
    let name =
        info.as_ref().and_then(|info| info.name).map_or_else(|| "-".to_owned(), |name| name.to_string());
    let mailbox = info.as_ref().map_or(0, |info| info.message_queue_len);
    let label = info.and_then(|info| info.label).map(|label| format!(" ({label})")).unwrap_or_default();
    let indent = 2 * depth;
    let _ = writeln!(
        tree,
        "* {:indent$}{kind} id={id} pid={pid} name={name} restarts={restarts} mailbox={mailbox}{label}",
        ""
    );
}

/// Counts what must not grow: what is left when all clients are gone is what was there before they came.
pub(crate) fn stats() -> String {
    let node = Node::current();
    let processes: Vec<Info> = node.processes().into_iter().filter_map(|pid| node.info(pid)).collect();
    let links: usize = processes.iter().map(|process| process.links.len()).sum();
    let monitors: usize = processes.iter().map(|process| process.monitors.len()).sum();
    format!(
        "* Stats: {} processes, {} names, {} links, {monitors} monitors, {} tasks",
        processes.len(),
        node.registered().len(),
        links / 2,
        Handle::current().metrics().num_alive_tasks()
    )
}
