//! The normal form of a trace: where Erlang promises no order, there is one.

/// The trace of a whole scenario in normal form, a string for each step.
pub(crate) fn normal(trace: &str) -> Vec<String> {
    trace.split(';').map(|step| step.split('|').map(process).collect::<Vec<_>>().join(" | ")).collect()
}

/// What one process shows after a step, with what it has got sorted step by step.
fn process(shown: &str) -> String {
    let Some((bonds, got)) = shown.split_once(" got=") else { return shown.to_owned() };
    let mut sorted = Vec::new();
    let mut step = Vec::new();
    for item in got.split(',') {
        match item.strip_prefix("tick:") {
            Some(actor) => sorted.extend(sort(std::mem::take(&mut step), actor)),
            None => step.push(item),
        }
    }
    sorted.extend(step);
    if sorted.is_empty() { bonds.to_owned() } else { format!("{bonds} got={}", sorted.join(",")) }
}

/// What the step's actor has sent stays in its order. The ends that others told of come in any order, and so do an
/// exit and a down of one end.
fn sort<'a>(step: Vec<&'a str>, actor: &str) -> Vec<&'a str> {
    let of_actor = format!("exit:{actor}:");
    let (mut sent, mut told): (Vec<_>, Vec<_>) =
        step.into_iter().partition(|item| item.starts_with("text:") || item.starts_with(&of_actor));
    told.sort_unstable();
    sent.append(&mut told);
    sent
}

#[test]
fn what_one_process_sends_keeps_its_order_and_what_others_tell_does_not() {
    let got = "true|p1 trap got=down:m1:p2:boom,text:2,exit:p3:boom,text:1,tick:p2,exit:p1:normal,tick:p1|p2 got=tick:p1";
    assert_eq!(
        normal(got),
        ["true | p1 trap got=text:2,text:1,down:m1:p2:boom,exit:p3:boom,exit:p1:normal | p2"]
    );
}
