//! What becomes of tasks.

use crate::bed::{Bed, IMAGE, SETTLE, deploy, deploy_of, published, spec, spec_of};
use graphium_core::{
    action::{Action, Refresh},
    agent::{HostFacts, Notice, Step, Workplace, execute},
    environment::Environment,
    id::HostId,
    inventory::{ContainerStatus, Health},
    runtime::{ContainerRuntime, RuntimeError, label},
    stack::{Condition, Container, EnvValue, EnvVar, HealthCheck, HealthTest, PullPolicy, RestartPolicy, UpdateOrder},
    store::TaskStore,
    task::{Input, Task, TaskError, TaskStatus},
    testing::{Operation, Program, Thing},
};
use std::{sync::Arc, time::Duration};

#[test]
fn a_container_is_deployed_in_as_few_calls_as_it_takes() {
    let bed = Bed::new();
    let (task, ended) = bed.serve(async {
        let [id] = bed.submit([deploy("web")]).await.try_into().unwrap();
        bed.end_of(&id).await
    });
    ended.unwrap();
    assert_eq!(task.status, TaskStatus::Completed, "{task:?}");
    // The last is that of the report, which shows once what no list does.
    assert_eq!(bed.calls(), ["create web", "start web", "inspect web", "inspect web"]);
    let seen = task.result.unwrap().data.unwrap();
    assert_eq!((seen.status, seen.hosted_on), (ContainerStatus::Running, HostId::new("vm1")));
    assert_eq!(seen.labels[label::TASK], task.id.to_string());
    assert_eq!(seen.labels[label::ATTEMPT], "1");
}

#[test]
fn twenty_containers_take_little_longer_than_the_engine_does() {
    let bed = Bed::new();
    bed.runtime.set_latency(Duration::from_millis(100));
    let (time, _) = bed.serve(async {
        bed.sleep(1000).await;
        let begin = bed.environment.elapsed();
        for id in bed.submit((0..20).map(|number| deploy(&format!("web-{number}")))).await {
            bed.end_of(&id).await;
        }
        bed.environment.elapsed() - begin
    });
    // Create and start of five rounds of four; then the last are watched for a moment and looked at.
    let engine = Duration::from_millis(5 * 200);
    let watch = SETTLE + Duration::from_millis(100);
    assert!(time < (engine + watch) * 11 / 10, "{time:?}");
}

#[test]
fn an_attempt_is_told_of_with_its_deployment_and_how_it_ended() {
    let bed = Bed::new();
    bed.runtime.fail_next(Operation::Create, RuntimeError::Refused("no".to_owned()));
    bed.serve(async {
        for action in [deploy("db"), deploy("web")] {
            let [id] = bed.submit([action]).await.try_into().unwrap();
            bed.end_of(&id).await;
        }
    })
    .1
    .unwrap();
    let notices = bed.notices.lock().unwrap();
    let told: Vec<String> = notices
        .iter()
        .filter_map(|notice| match notice {
            Notice::Began { id, attempt, deployment, .. } => {
                Some(format!("{id} {attempt} of {}", deployment.as_ref().unwrap()))
            }
            Notice::Ended { id, attempt, end, .. } => Some(format!("{id} {attempt} {end:?}")),
            _ => None,
        })
        .collect();
    let expected = [
        "task:0000 1 of deployment:0",
        "task:0000 1 Failed(\"engine-refused\")",
        "task:0001 1 of deployment:1",
        "task:0001 1 Completed",
    ];
    assert_eq!(told, expected);
}

#[test]
fn a_container_that_runs_as_asked_is_left_alone() {
    let bed = Bed::new();
    let (task, _) = bed.serve(async {
        let [first] = bed.submit([deploy("web")]).await.try_into().unwrap();
        bed.end_of(&first).await;
        let [second] = bed.submit([deploy("web")]).await.try_into().unwrap();
        bed.end_of(&second).await
    });
    assert_eq!(task.result.unwrap().message, "already running");
    let effects = bed.runtime.effects("web");
    assert_eq!((effects.created, effects.started), (1, 1));
}

#[test]
fn a_stop_tells_what_the_container_is_then_and_one_of_nothing_succeeds() {
    let bed = Bed::new();
    let ((stopped, nothing), _) = bed.serve(async {
        let [web] = bed.submit([deploy("web")]).await.try_into().unwrap();
        bed.end_of(&web).await;
        let stop = |name: &str| Action::Stop { name: name.to_owned() };
        let [web, other] = bed.submit([stop("web"), stop("other")]).await.try_into().unwrap();
        (bed.end_of(&web).await, bed.end_of(&other).await)
    });
    let seen = stopped.result.unwrap().data.unwrap();
    assert_eq!((seen.name.as_str(), seen.status == ContainerStatus::Running), ("web", false), "{seen:?}");
    assert_eq!((nothing.status, nothing.result.unwrap().data), (TaskStatus::Completed, None));
}

#[test]
fn an_older_version_gives_way_and_a_stranger_does_not() {
    let bed = Bed::new();
    bed.runtime.make_foreign(Thing::Container, "db");
    let ((web, db, other), _) = bed.serve(async {
        let [old] = bed.submit([deploy("web")]).await.try_into().unwrap();
        bed.end_of(&old).await;
        let changed = Box::new(spec_of("web", published(8080)));
        let mut theirs = spec("web");
        Arc::make_mut(&mut theirs.labels).insert(label::STACK.to_owned(), "stack:other".to_owned());
        let theirs = theirs.sealed();
        let actions = [
            Action::Update { spec: changed, order: UpdateOrder::StopFirst, refresh: Refresh::Never },
            deploy("db"),
            Action::Deploy { spec: Box::new(theirs) },
        ];
        let [web, db, other] = bed.submit(actions).await.try_into().unwrap();
        (bed.end_of(&web).await, bed.end_of(&db).await, bed.end_of(&other).await)
    });
    assert_eq!(web.status, TaskStatus::Completed, "{web:?}");
    assert_eq!(bed.runtime.effects("web").created, 2);
    for refused in [db, other] {
        let error = refused.error.unwrap();
        assert_eq!((error.code.as_str(), error.retryable), ("name-taken", false), "{error:?}");
    }
}

#[test]
fn a_taken_port_is_named_and_nothing_half_made_stays() {
    let bed = Bed::new();
    bed.runtime.occupy_port(8081);
    let (error, _) = bed.serve(failure(&bed, deploy_of("web", published(8081))));
    assert_eq!((error.code.as_str(), error.retryable), ("port-taken", true), "no container has it");
    assert!(error.message.contains("8081") && error.help.unwrap().contains("no container"), "{}", error.message);
    assert_eq!(bed.runtime.effects("web").removed, 1);
}

#[test]
fn a_port_that_a_container_has_is_not_waited_for() {
    let bed = Bed::new();
    let (error, _) = bed.serve(async {
        let [first] = bed.submit([deploy_of("db", published(8081))]).await.try_into().unwrap();
        assert_eq!(bed.end_of(&first).await.status, TaskStatus::Completed);
        failure(&bed, deploy_of("web", published(8081))).await
    });
    assert_eq!((error.code.as_str(), error.retryable), ("port-taken", false));
    assert!(error.help.unwrap().contains("`db`"));
    let effects = bed.runtime.effects("web");
    assert_eq!((effects.created, effects.removed), (1, 1));
}

#[test]
fn what_the_engine_itself_cannot_start_is_made_anew_by_the_next_attempt() {
    let bed = Bed::new();
    let (task, ended) = bed.serve(async {
        let [made] = bed.submit([deploy("web")]).await.try_into().unwrap();
        assert_eq!(bed.end_of(&made).await.status, TaskStatus::Completed);
        bed.runtime.kill("web");
        let stuck = RuntimeError::Failed("task 1: already exists".to_owned());
        bed.runtime.fail_next(Operation::Start, stuck);
        let again = |task: &mut Task| task.max_retries = 1;
        let update =
            Action::Update { spec: Box::new(spec("web")), order: UpdateOrder::StopFirst, refresh: Refresh::Never };
        let [id] = bed.submit_with([update], again).await.try_into().unwrap();
        bed.end_of(&id).await
    });
    ended.unwrap();
    assert_eq!((task.status, task.retry_count), (TaskStatus::Completed, 1), "{task:?}");
    let effects = bed.runtime.effects("web");
    assert_eq!((effects.created, effects.removed, effects.started), (2, 1, 2));
}

#[test]
fn a_port_that_is_given_back_late_is_had_by_the_next_attempt() {
    let bed = Bed::new();
    bed.runtime.occupy_port(8081);
    let (task, ended) = bed.serve(async {
        let again = |task: &mut Task| task.max_retries = 2;
        let [id] = bed.submit_with([deploy_of("web", published(8081))], again).await.try_into().unwrap();
        while bed.runtime.effects("web").removed == 0 {
            bed.sleep(10).await;
        }
        bed.runtime.free_port(8081);
        bed.end_of(&id).await
    });
    ended.unwrap();
    assert_eq!((task.status, task.retry_count), (TaskStatus::Completed, 1));
}

#[test]
fn a_container_that_ends_at_once_shows_its_code_and_its_last_words() {
    let bed = Bed::new();
    bed.runtime.put_image("bad:1", Program::exits(3).saying(["cannot read /etc/shop.conf"]));
    for restart_policy in [RestartPolicy::No, RestartPolicy::Always] {
        let container = Container { image: "bad:1".to_owned(), restart_policy, ..Container::default() };
        let name = format!("web-{restart_policy}");
        let (error, _) = bed.serve(failure(&bed, deploy_of(&name, container)));
        assert_eq!((error.code.as_str(), error.retryable), ("exited", false));
        assert!(error.message.contains("code 3"), "{}", error.message);
        assert_eq!(error.log, ["cannot read /etc/shop.conf"]);
    }
}

#[test]
fn a_container_that_does_its_work_and_ends_well_is_a_success() {
    let bed = Bed::new();
    bed.runtime.put_image("job:1", Program::exits(0));
    let container = || Container { image: "job:1".to_owned(), ..Container::default() };
    let (tasks, _) = bed.serve(async {
        let [job] = bed.submit([deploy_of("job", container())]).await.try_into().unwrap();
        let job = bed.end_of(&job).await;
        let check = Action::Check { name: "job".to_owned(), condition: Condition::Completed };
        let [check] = bed.submit([check]).await.try_into().unwrap();
        [job, bed.end_of(&check).await]
    });
    for task in tasks {
        assert_eq!(task.result.unwrap().message, "ended with exit code 0");
    }
}

#[test]
fn an_image_that_is_not_to_be_had_fails_at_once() {
    let bed = Bed::new();
    bed.runtime.deny_image("nix:1");
    let pull = Action::Pull { image: "nix:1".to_owned(), platform: None, policy: PullPolicy::IfNotPresent };
    let (error, _) = bed.serve(failure(&bed, pull));
    assert_eq!((error.code.as_str(), error.retryable), ("image-not-found", false));
}

#[test]
fn an_image_that_has_gone_since_its_pull_is_pulled_again() {
    let bed = Bed::new();
    let container = Container { image: "later:1".to_owned(), ..Container::default() };
    let (task, _) = bed.serve(async {
        let [id] = bed.submit([deploy_of("web", container)]).await.try_into().unwrap();
        bed.end_of(&id).await
    });
    assert_eq!(task.status, TaskStatus::Completed, "{task:?}");
}

#[test]
fn what_is_absent_is_stopped_and_removed_already() {
    let bed = Bed::new();
    let name = || "nothing".to_owned();
    let actions = [
        Action::Stop { name: name() },
        Action::Delete { name: name() },
        Action::RemoveNetwork { name: name() },
        Action::RemoveVolume { name: name() },
    ];
    let (tasks, _) = bed.serve(async {
        let mut tasks = Vec::new();
        for id in bed.submit(actions).await {
            tasks.push(bed.end_of(&id).await);
        }
        tasks
    });
    assert!(tasks.iter().all(|task| task.status == TaskStatus::Completed), "{tasks:?}");
}

#[test]
fn a_check_passes_when_the_container_is_well_and_fails_when_it_cannot_become_so() {
    let bed = Bed::new();
    bed.runtime.put_image("slow:1", Program::runs().found(Health::Starting));
    let test = HealthTest::Shell { command: "true".to_owned() };
    let health = HealthCheck { test, interval: None, timeout: None, retries: None, start_period: None };
    let container = Container { image: "slow:1".to_owned(), health_check: Some(health), ..Container::default() };
    let check = |name: &str| Action::Check { name: name.to_owned(), condition: Condition::Healthy };
    let (tasks, _) = bed.serve(async {
        let actions = [deploy_of("well", container.clone()), deploy_of("ill", container.clone()), deploy("plain")];
        for id in bed.submit(actions).await {
            bed.end_of(&id).await;
        }
        let ids = bed.submit([check("well"), check("ill"), check("plain"), check("gone")]).await;
        bed.phase_of(&ids[0], "checking").await;
        bed.sleep(3000).await;
        assert_eq!(bed.task_now(&ids[0]).await.status, TaskStatus::Running);
        bed.runtime.set_health("well", Health::Healthy);
        bed.runtime.set_health("ill", Health::Unhealthy);
        let mut tasks = Vec::new();
        for id in &ids {
            tasks.push(bed.end_of(id).await);
        }
        tasks
    });
    let codes: Vec<_> = tasks.iter().map(|task| task.error.as_ref().map(|error| error.code.as_str())).collect();
    assert_eq!(codes, [None, Some("unhealthy"), Some("no-health-check"), Some("container-gone")]);
}

#[test]
fn variables_of_the_host_are_filled_in_and_missing_secrets_are_named() {
    let bed = Bed::new();
    let container = |value| {
        let environment = vec![EnvVar { name: "WHERE".to_owned(), value }];
        Container { environment, ..Container::default() }
    };
    let (task, _) = bed.serve(async {
        let [id] =
            bed.submit([deploy_of("web", container(EnvValue::FromHost("name".to_owned())))]).await.try_into().unwrap();
        bed.end_of(&id).await
    });
    assert_eq!(task.status, TaskStatus::Completed, "{task:?}");
    let secret = deploy_of("db", container(EnvValue::FromSecret("db-password".to_owned())));
    let (error, _) = bed.serve(failure(&bed, secret));
    assert_eq!((error.code.as_str(), error.retryable), ("secret-not-available", false));
    assert!(error.message.contains("db-password"));
    let address = deploy_of("api", container(EnvValue::FromHost("address".to_owned())));
    let (error, _) = bed.serve(failure(&bed, address));
    assert_eq!(error.code, "host-address-unknown");
}

#[test]
fn whoever_stops_a_container_tells_that_it_did_not_end_by_itself() {
    let bed = Bed::new();
    let stop = async |name: &str| bed.submit([Action::Stop { name: name.to_owned() }]).await.remove(0);
    let told = async |id| {
        let seen = bed.end_of(&id).await.result.unwrap().data.unwrap();
        (seen.status, seen.exit_code, seen.ended_by_task)
    };
    let (told, ended) = bed.serve(async {
        for id in bed.submit([deploy("web"), deploy("job"), deploy("api")]).await {
            assert_eq!(bed.end_of(&id).await.status, TaskStatus::Completed);
        }
        bed.runtime.exit("job", 0);
        let (web, job) = (told(stop("web").await).await, told(stop("job").await).await);
        // The engine goes away while it stops this one, and is asked once more when it is back.
        bed.runtime.set_stopping(Duration::from_secs(10));
        let api = stop("api").await;
        bed.phase_of(&api, "stopping").await;
        bed.runtime.disconnect();
        bed.sleep(15_000).await;
        bed.runtime.reconnect();
        [web, job, told(api).await]
    });
    ended.unwrap();
    assert_eq!(told, [true, false, true].map(|is_ours| (ContainerStatus::Exited, Some(0), is_ours)));
}

/// The first of a restart that could not start it, the second of one that did, and saw it end.
#[test]
fn a_restart_that_fails_has_stopped_what_it_could_not_start_and_not_what_ended_by_itself() {
    let bed = Bed::new();
    let ((), ended) = bed.serve(async {
        for id in bed.submit([deploy("web"), deploy("api")]).await {
            assert_eq!(bed.end_of(&id).await.status, TaskStatus::Completed);
        }
        bed.runtime.fail_next(Operation::Start, RuntimeError::Refused("no such device".to_owned()));
        let web = bed.submit([Action::Restart { name: "web".to_owned() }]).await.remove(0);
        assert_eq!(bed.end_of(&web).await.status, TaskStatus::Failed);
        bed.runtime.set_program(IMAGE, Program::exits(1));
        let api = bed.submit([Action::Restart { name: "api".to_owned() }]).await.remove(0);
        assert_eq!(bed.end_of(&api).await.status, TaskStatus::Failed);
    });
    ended.unwrap();
    let id = bed.runtime.container("web").unwrap().observed.id;
    assert_eq!(bed.journal.memory().stopped, [id].into());
}

#[test]
fn what_is_cut_off_while_it_stops_a_container_keeps_the_next_from_it_until_the_engine_is_done() {
    let bed = Bed::new();
    let (task, ended) = bed.serve(async {
        let [made] = bed.submit([deploy("web")]).await.try_into().unwrap();
        assert_eq!(bed.end_of(&made).await.status, TaskStatus::Completed);
        bed.runtime.set_stopping(Duration::from_secs(10));
        let [stop] = bed.submit([Action::Stop { name: "web".to_owned() }]).await.try_into().unwrap();
        bed.phase_of(&stop, "stopping").await;
        bed.sleep(1000).await;
        let cancel = Input::Cancel { reason: "never mind".to_owned() };
        bed.store.act(&stop, cancel, bed.environment.now()).await.unwrap();
        assert_eq!(bed.end_of(&stop).await.status, TaskStatus::Cancelled);
        let [start] = bed.submit([Action::Start { name: "web".to_owned() }]).await.try_into().unwrap();
        let started = bed.end_of(&start).await;
        bed.sleep(30_000).await;
        started
    });
    ended.unwrap();
    assert_eq!(task.status, TaskStatus::Completed, "{task:?}");
    assert_eq!(bed.runtime.effects("web").started, 2, "it was started after its stop had come to its end");
    let seen = bed.environment.run(bed.runtime.inspect("web")).unwrap().unwrap();
    assert_eq!(seen.status(), ContainerStatus::Running);
}

#[test]
fn a_pull_tells_its_bytes() {
    let bed = Bed::new();
    let steps = std::sync::Mutex::new(Vec::<Step>::new());
    let pull = Action::Pull { image: "big:1".to_owned(), platform: None, policy: PullPolicy::IfNotPresent };
    bed.environment.run(async {
        let [id] = bed.submit([pull]).await.try_into().unwrap();
        let place = Workplace {
            runtime: Arc::new(bed.runtime.clone()),
            environment: Arc::new(bed.environment.clone()),
            facts: HostFacts { name: HostId::new("vm1"), address: None },
            admission: Arc::default(),
            secrets: Arc::new(|_| None),
            link: None,
            known: Arc::default(),
            settle: Duration::ZERO,
            health: Arc::default(),
            hold: Default::default(),
            keeper: Arc::default(),
        };
        execute(&bed.task_now(&id).await, &place, &|step| steps.lock().unwrap().push(step)).await
    });
    assert!(steps.lock().unwrap().iter().any(|step| step.bytes.is_some()));
}

async fn failure(bed: &Bed, action: Action) -> TaskError {
    let [id] = bed.submit([action]).await.try_into().unwrap();
    let task = bed.end_of(&id).await;
    assert_eq!(task.status, TaskStatus::Failed, "{task:?}");
    task.error.unwrap()
}
