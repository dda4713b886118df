//! REG: the name registry.

use erlang_process::{
    self as process, ExitMessage, ExitReason, Name, Node, NotRegistered, RegisterError, SendError, Spawn,
    Subject,
};

use crate::support::{LONG, ROUNDS, Race, Rival, alone, dead, idle, mortal, server, trapped};

#[tokio::test(start_paused = true)]
async fn reg_01_register_and_find() {
    alone(async {
        let me = process::current().unwrap();
        let name = Name::<u8>::new("me");
        assert_eq!(process::whereis(name), None);
        assert_eq!(process::register(me, name), Ok(()));
        assert_eq!(process::whereis(name), Some(me));
        assert_eq!(Node::current().registered(), [name.registered_name()]);
        name.subject().send(7);
        assert_eq!(name.subject().receive(LONG).await, Ok(7));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn reg_02_what_is_refused() {
    alone(async {
        let (a, b) = (idle(), idle());
        let (name, other) = (Name::<u8>::new("one"), Name::<u8>::new("two"));
        process::register(a, name).unwrap();
        assert_eq!(process::register(b, name), Err(RegisterError::NameTaken { holder: a }));
        assert_eq!(process::register(a, name), Err(RegisterError::NameTaken { holder: a }));
        let named = name.registered_name();
        assert_eq!(process::register(a, other), Err(RegisterError::AlreadyNamed { name: named }));
        assert_eq!(process::register(dead().await, other), Err(RegisterError::NoProc));
        process::kill(b);
        assert_eq!(process::register(b, other), Err(RegisterError::NoProc), "its end has begun");
        assert_eq!(process::whereis(other), None);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reg_04_name_is_free_after_down() {
    alone(async {
        let name = Name::<()>::new("again");
        for _ in 0..ROUNDS {
            let pid = Spawn::new()
                .unlinked()
                .named(name)
                .spawn(async { process::exit(ExitReason::Shutdown) as () });
            let monitor = process::monitor(pid.unwrap()).unwrap();
            monitor.down().await.unwrap();
            assert_eq!(process::whereis(name), None);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reg_05_name_is_free_after_exit() {
    alone(async {
        process::trap_exits(true).unwrap();
        let name = Name::<()>::new("again");
        for _ in 0..ROUNDS {
            let pid = Spawn::new().named(name).spawn(async {}).unwrap();
            assert_eq!(trapped().await, ExitMessage { pid, reason: ExitReason::Normal });
            assert_eq!(process::whereis(name), None);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reg_kill_and_register_again() {
    // register_SUITE:otp_8099, from one process: either the old holder is still seen, or the name is free.
    alone(async {
        let name = Name::<()>::new("again");
        for _ in 0..10 * ROUNDS {
            let pid = Spawn::new().unlinked().named(name).spawn(std::future::pending::<()>()).unwrap();
            assert_eq!(process::whereis(name), Some(pid));
            process::kill(pid);
            assert_eq!(process::whereis(name), None);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reg_02_a_name_for_one_who_ends() {
    alone(async {
        let name = Name::<()>::new("too late");
        let (mut rival, mut race) = (Rival::new(), Race::with(["registered", "refused"]));
        while let Some((_, handicap)) = race.round() {
            let (pid, go) = mortal().await;
            rival.begins(move || go.send(None));
            handicap.wait();
            match process::register(pid, name) {
                Ok(()) => race.saw("registered"),
                Err(RegisterError::NoProc) => {
                    assert_eq!(process::whereis(name), None);
                    race.saw("refused");
                }
                Err(other) => panic!("{other}"),
            }
            process::join(pid).await;
            assert_eq!(process::whereis(name), None);
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn reg_07_unregister_by_a_third() {
    alone(async {
        let pid = idle();
        let name = Name::<()>::new("taken");
        process::register(pid, name).unwrap();
        process::run(async move { process::unregister(name).unwrap() }).await.unwrap();
        assert_eq!(process::whereis(name), None);
        assert_eq!(process::unregister(name), Err(NotRegistered));
        assert_eq!(Node::current().info(pid).unwrap().name, None);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn reg_08_send_goes_to_the_holder_at_its_time() {
    alone(async {
        let heard = Subject::<(u8, u8)>::new().unwrap();
        let holder = |who: u8| {
            let heard = heard.clone();
            server(move |inbox: Subject<u8>| async move {
                while let Ok(message) = inbox.receive_forever().await {
                    heard.send((who, message));
                }
            })
            .0
        };
        let (a, b) = (holder(1), holder(2));
        let name = Name::<u8>::new("moving");
        let subject = name.subject();
        assert_eq!(subject.try_send(0), Err(SendError::Dead(0)));
        process::register(a, name).unwrap();
        subject.send(1);
        process::unregister(name).unwrap();
        process::register(b, name).unwrap();
        subject.send(2);
        let mut all = [heard.receive_forever().await.unwrap(), heard.receive_forever().await.unwrap()];
        all.sort_unstable();
        assert_eq!(all, [(1, 1), (2, 2)]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn reg_10_info_follows() {
    alone(async {
        let me = process::current().unwrap();
        let name_of_me = || Node::current().info(me).unwrap().name;
        let name = Name::<()>::new("me");
        assert_eq!(name_of_me(), None);
        process::register(me, name).unwrap();
        assert_eq!(name_of_me(), Some(name.registered_name()));
        process::unregister(name).unwrap();
        assert_eq!(name_of_me(), None);
        process::register(me, name).unwrap();
        assert_eq!(name_of_me(), Some(name.registered_name()));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reg_one_of_many_wins() {
    alone(async {
        for _ in 0..ROUNDS / 4 {
            let name = Name::<()>::new("wanted");
            let results = Subject::new().unwrap();
            let racers: Vec<_> = (0..4)
                .map(|_| {
                    let results = results.clone();
                    process::spawn(async move {
                        results.send(process::register(process::current().unwrap(), name).is_ok());
                        std::future::pending::<()>().await;
                    })
                })
                .collect();
            let mut winners = 0;
            for _ in &racers {
                winners += usize::from(results.receive_forever().await.unwrap());
            }
            assert_eq!(winners, 1);
            for racer in racers {
                process::unlink(racer).unwrap();
                process::kill(racer);
            }
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn reg_a_name_of_other_messages_is_nobodys() {
    alone(async {
        let me = process::current().unwrap();
        let (numbers, texts) = (Name::<u8>::fixed("twofold"), Name::<String>::fixed("twofold"));
        process::register(me, numbers).unwrap();
        assert_eq!(texts.subject().pid(), None);
        assert_eq!(texts.subject().try_send(String::new()), Err(SendError::Dead(String::new())));
        numbers.subject().send(7);
        assert_eq!(texts.subject().receive(LONG).await, Err(process::ReceiveError::NotOwner));
        assert_eq!(numbers.subject().receive(LONG).await, Ok(7));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn reg_names_do_without_their_types() {
    alone(async {
        let (node, me) = (Node::current(), process::current().unwrap());
        let (unique, fixed) = (Name::<u8>::new("plain"), Name::<u8>::fixed("plain"));
        for name in [unique, fixed] {
            let text = name.to_string();
            assert_eq!(node.existing_name(&text), None, "nobody holds it");
            process::register(me, name).unwrap();
            let found = node.existing_name(&text).unwrap();
            assert_eq!((found, process::whereis(found)), (name.registered_name(), Some(me)));
            // Only as it prints.
            for other in [format!("{text}$"), format!("{text}$0"), format!(" {text}"), String::new()] {
                assert_eq!(node.existing_name(&other), None);
            }
            // A type makes it an address again, the right one that of its holder.
            assert_eq!((found.typed(), found.typed::<String>().subject().pid()), (name, None));
            found.typed().subject().send(7_u8);
            assert_eq!(name.subject().receive(LONG).await, Ok(7));

            let (watched, watching) = (idle(), name.registered_name());
            assert_eq!(process::unregister(found), Ok(()));
            process::register(watched, name).unwrap();
            let monitor = process::monitor(watching).unwrap();
            process::kill(watched);
            assert_eq!(node.existing_name(&text), None, "its holder is dead");
            assert_eq!(monitor.down().await.unwrap().reason, ExitReason::Killed);
            assert_eq!(process::unregister(found), Err(NotRegistered));
        }
        // One number has one spelling.
        process::register(me, unique).unwrap();
        let (prefix, serial) =
            unique.to_string().rsplit_once('$').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        for serial in [format!("0{serial}"), format!("+{serial}")] {
            assert_eq!(node.existing_name(&format!("{prefix}${serial}")), None);
        }
    })
    .await;
}
