//! Bodies from outside.

use std::{
    any::Any,
    future::pending,
    sync::{Arc, Mutex},
};

use erlang_process::{
    self as process, AliasMode, Dest, InjectError, Name, Reference, Selector, Signal, Spawn, Subject,
};

use super::connection::{Joined, rest};

/// What a peer sends: a term of theirs.
#[derive(Debug, PartialEq)]
enum Term {
    Number(i64),
    Text(&'static str),
}

#[tokio::test(start_paused = true)]
async fn what_comes_from_outside_reaches_what_is_exposed_and_nothing_else() {
    let joined = Joined::new();
    joined.typed();
    let number = |body: Box<dyn Any + Send>| match body.downcast::<Term>() {
        Ok(term) => match *term {
            Term::Number(number) => {
                u8::try_from(number).map_err(|_| Box::new(Term::Number(number)) as Box<_>)
            }
            text => Err(Box::new(text) as Box<_>),
        },
        Err(other) => Err(other),
    };
    joined.b.expose::<u8>(number);
    let (name, untyped_name) = (Name::<u8>::new("exposed"), Name::<String>::new("hidden"));
    let numbers = Arc::<Mutex<Vec<u8>>>::default();
    let told = Arc::<Mutex<Option<Reference>>>::default();

    // Its own messages are numbers, by its name as well.
    let exposed = Spawn::new().on(&joined.b).named(name).prepare({
        let (numbers, told) = (numbers.clone(), told.clone());
        move |own: Subject<u8>| async move {
            let alias = process::alias(AliasMode::ExplicitUnalias).unwrap();
            *told.lock().unwrap() = Some(alias);
            let mut all = Selector::new()
                .select(&own, |number| number)
                .select_alias(alias, |number: u8| number)
                .select_other(|other| panic!("{other}"));
            loop {
                let number = all.receive_forever().await.unwrap();
                numbers.lock().unwrap().push(number);
            }
        }
    });
    let exposed = joined.there(exposed.unwrap().start());
    // Those of this one are not exposed, whatever it is sent to.
    let hidden = Spawn::new().on(&joined.b).named(untyped_name).prepare(|_: Subject<String>| pending::<()>());
    let hidden = hidden.unwrap().start();
    rest().await;
    let alias = joined.reference_there(told.lock().unwrap().unwrap());
    let at_b = |name| Dest::Name(name, joined.other);
    let send = |to: Dest, term: Term| joined.a.signal(None, to, Signal::Message(Box::new(term)));

    send(exposed.into(), Term::Number(1));
    send(at_b(name.registered_name()), Term::Number(2));
    send(Dest::Alias(alias), Term::Number(3));
    rest().await;
    assert_eq!((&numbers.lock().unwrap()[..], joined.refused()), (&[1, 2, 3][..], vec![]));

    let nobody = at_b(Name::<u8>::new("nobody").registered_name());
    let refused = |to: Dest, term: Term| {
        send(to, term);
        joined.refused()
    };
    let not_a_message = InjectError::Refused(Box::new(())).to_string();
    for term in [Term::Text("no number"), Term::Number(1_000)] {
        assert_eq!(refused(exposed.into(), term), [&*not_a_message]);
    }
    for to in [joined.there(hidden).into(), at_b(untyped_name.registered_name())] {
        assert_eq!(refused(to, Term::Number(4)), [InjectError::NotExposed.to_string()]);
    }
    assert_eq!(refused(nobody, Term::Number(5)), [InjectError::NoProc.to_string()]);
    rest().await;
    assert_eq!(numbers.lock().unwrap().len(), 3);
    assert_eq!(joined.b.info(hidden).unwrap().message_queue_len, 0, "nothing has reached it");
}
