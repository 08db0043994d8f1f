//! Secrets on their way into containers, and never back.

use crate::bed::{Bed, deploy_of};
use graphium_core::{
    action::Action,
    agent::LinkError,
    runtime::{ContainerRuntime as _, RuntimeError},
    stack::{Condition, Container, EnvValue, EnvVar, Mount, MountKind},
    task::{Task, TaskStatus},
    testing::{Operation, Program},
};

const VALUE: &str = "p4ss\"w\u{f6}rd\nsecond-line";
const PATH: &str = "/run/secrets/db";

fn container(image: &str) -> Container {
    let variable = EnvVar { name: "PASSWORD".to_owned(), value: EnvValue::FromSecret("db".to_owned()) };
    let kind = MountKind::Secret { source: "db".to_owned() };
    let file = Mount { kind, target: PATH.to_owned(), read_only: false };
    Container {
        image: image.to_owned(),
        environment: vec![variable],
        volume_mounts: vec![file],
        ..Container::default()
    }
}

async fn done(bed: &Bed, action: Action) -> Task {
    let [id] = bed.submit([action]).await.try_into().unwrap();
    bed.end_of(&id).await
}

/// Everything that an agent has told anybody.
async fn told(bed: &Bed, task: &Task) -> String {
    let events = graphium_core::store::TaskStore::events(&*bed.store, 0, 10_000).await.unwrap();
    let notices = bed.notices.lock().unwrap().iter().map(ToString::to_string).collect::<Vec<_>>();
    format!("{task:?} {events:?} {notices:?} {:?} {:?} {:?}", bed.link.reports(), bed.link.sights(), bed.journal)
}

fn is_clean(told: &str) {
    for part in [VALUE, "p4ss", "second-line", "w\u{f6}rd"] {
        assert!(!told.contains(part), "{part} is told: {told}");
    }
}

#[test]
fn a_container_gets_its_secrets_as_variable_and_as_file_and_nobody_is_told() {
    let bed = Bed::new();
    bed.link.set_secrets(&[("db", Some(VALUE))]);
    let (told, _) = bed.serve(async {
        let task = done(&bed, deploy_of("web", container(""))).await;
        assert_eq!(task.status, TaskStatus::Completed, "{task:?}");
        told(&bed, &task).await
    });
    let id = bed.runtime.container("web").unwrap().observed.id;
    let made = bed.environment.run(bed.runtime.describe(&id)).unwrap().unwrap();
    assert_eq!(made.container.environment[0].value, EnvValue::Literal(VALUE.to_owned()));
    assert_eq!(bed.runtime.file("web", PATH).as_deref(), Some(VALUE));
    let calls = bed.calls();
    assert_eq!(calls[..3], ["create web", "put-files web", "start web"], "it is there before the start");
    is_clean(&told);
}

#[test]
fn a_container_without_secrets_asks_for_none() {
    let bed = Bed::new();
    bed.serve(done(&bed, deploy_of("web", Container::default()))).1.unwrap();
    assert!(!bed.link.calls().contains(&"secrets") && !bed.calls().contains(&"put-files web".to_owned()));
}

#[test]
fn what_a_container_with_secrets_writes_before_it_fails_is_told_without_them() {
    let bed = Bed::new();
    bed.link.set_secrets(&[("db", Some(VALUE))]);
    let lines = ["PASSWORD is p4ss\"w\u{f6}rd", "second-line", "of note"];
    bed.runtime.put_image("fails:1", Program::exits(1).saying(lines));
    let (told, task) = {
        let ((told, task), _) = bed.serve(async {
            let task = done(&bed, deploy_of("web", container("fails:1"))).await;
            (told(&bed, &task).await, task)
        });
        (told, task)
    };
    let error = task.error.unwrap();
    assert_eq!(error.code, "exited");
    assert_eq!(error.log, ["PASSWORD is [secret db]", "[secret db]", "of note"]);
    is_clean(&told);
}

#[test]
fn an_engine_that_repeats_what_it_was_given_is_told_without_it() {
    for operation in [Operation::Create, Operation::PutFiles, Operation::Start] {
        let bed = Bed::new();
        bed.link.set_secrets(&[("db", Some(VALUE))]);
        let json = serde_json::to_string(&[format!("PASSWORD={VALUE}")]).unwrap();
        bed.runtime.fail_next(operation, RuntimeError::Refused(format!("bad value in {json}: {VALUE}")));
        let ((told, task), _) = bed.serve(async {
            let task = done(&bed, deploy_of("web", container(""))).await;
            (told(&bed, &task).await, task)
        });
        let message = task.error.unwrap().message;
        assert!(message.contains(r#"["PASSWORD=[secret db]"]: [secret db]"#), "{operation}: {message}");
        is_clean(&told);
    }
}

#[test]
fn an_agent_that_was_started_anew_asks_before_it_tells_what_a_container_wrote() {
    for refusal in [None, Some(LinkError::Rejected("no key".to_owned()))] {
        let bed = Bed::new();
        bed.link.set_secrets(&[("db", Some(VALUE))]);
        bed.serve(done(&bed, deploy_of("web", container("")))).1.unwrap();
        bed.runtime.write("web", graphium_core::runtime::LogSource::Stdout, b"it was second-line\n");
        bed.runtime.exit("web", 1);
        if let Some(refusal) = &refusal {
            bed.link.refuse_secrets(refusal.clone());
        }
        let check = Action::Check { name: "web".to_owned(), condition: Condition::Started };
        let ((told, task), _) = bed.serve(async {
            let task = done(&bed, check).await;
            (told(&bed, &task).await, task)
        });
        let error = task.error.unwrap();
        match refusal {
            None => assert_eq!(error.log, ["it was [secret db]"], "{error:?}"),
            Some(_) => assert!(error.log.is_empty() && error.help.unwrap().contains("docker logs web")),
        }
        is_clean(&told);
    }
}

#[test]
fn a_missing_secret_is_named_with_its_container_its_host_and_what_to_do() {
    let bed = Bed::new();
    bed.link.set_secrets(&[("db", None)]);
    let (task, _) = bed.serve(done(&bed, deploy_of("web", container(""))));
    let error = task.error.unwrap();
    assert_eq!((error.code.as_str(), error.retryable), ("secret-not-available", false));
    for word in ["`db`", "`web`", "`vm1`", "`PASSWORD`"] {
        assert!(error.message.contains(word), "{word}: {}", error.message);
    }
    assert!(error.help.unwrap().contains("graphium secret set db"));
    assert!(bed.runtime.container("web").is_none(), "nothing was made");
}

#[test]
fn a_server_that_is_away_is_waited_for_and_one_that_refuses_is_told() {
    let bed = Bed::new();
    bed.link.set_secrets(&[("db", Some(VALUE))]);
    bed.link.refuse_secrets(LinkError::Unreachable("its store is away".to_owned()));
    let (task, _) = bed.serve(async {
        let [id] = bed.submit([deploy_of("web", container(""))]).await.try_into().unwrap();
        bed.wait_for(&id, |task| {
            task.progress.as_ref().is_some_and(|progress| progress.message.contains("its store is away"))
        })
        .await;
        bed.link.refuse_secrets(None);
        bed.end_of(&id).await
    });
    assert_eq!(task.status, TaskStatus::Completed, "{task:?}");

    let bed = Bed::new();
    bed.link.set_secrets(&[("db", Some(VALUE))]);
    bed.link.refuse_secrets(LinkError::Rejected("the key is another".to_owned()));
    let (task, _) = bed.serve(done(&bed, deploy_of("web", container(""))));
    let error = task.error.unwrap();
    assert!(error.message.contains("the key is another") && !error.retryable, "{error:?}");
}
