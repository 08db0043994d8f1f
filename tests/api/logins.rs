//! More people who log in than the server can compare passwords for.

use crate::{
    bed::Bed,
    people::{PASSWORD, nobody, person},
};
use graphium_core::control::Role;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

const AT_ONCE: usize = 64;

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_log_in_at_once_each_is_answered_and_the_owner_gets_in_all_the_while() {
    let bed = Bed::new().await;
    for user in ["ann", "bob"] {
        bed.admin.create_user(&person(user, Role::Viewer)).await.unwrap();
    }
    let client = reqwest::Client::new();
    let url = format!("{}/api/v1/auth/login", bed.server.url());
    let login = async |number: usize| {
        // Some are right, some are not, some are nobody.
        let (user, password) = match number % 4 {
            0 | 1 => ("ann".to_owned(), PASSWORD),
            2 => ("ann".to_owned(), "wrong password"),
            _ => (format!("nobody-{number}"), PASSWORD),
        };
        let answer = client.post(&url).json(&json!({"user": user, "password": password})).send().await.unwrap();
        let status = answer.status().as_u16();
        if matches!(status, 429 | 503) {
            let seconds: u64 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
            assert!((1..=60).contains(&seconds), "{status}: {seconds}");
        }
        let body: Value = answer.json().await.unwrap();
        (status, body["code"].as_str().unwrap_or_default().to_owned())
    };
    let begun = Instant::now();
    let many = futures::future::join_all((0..AT_ONCE).map(login));
    let mut owner = Vec::new();
    let answers = {
        let asks = async {
            loop {
                let begun = Instant::now();
                bed.admin.whoami().await.unwrap();
                owner.push(begun.elapsed());
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::select! { answers = many => answers, () = asks => unreachable!() }
    };
    let took = begun.elapsed();
    let mut counts: BTreeMap<(u16, String), usize> = BTreeMap::new();
    answers.into_iter().for_each(|answer| *counts.entry(answer).or_default() += 1);
    let of = |status: u16| counts.iter().filter(|((own, _), _)| *own == status).map(|(_, count)| count).sum::<usize>();
    assert_eq!(of(201) + of(401) + of(429) + of(503), AT_ONCE, "{counts:?}");
    assert!(of(201) >= 2 && counts.contains_key(&(503, "busy".to_owned())), "{counts:?}");
    assert!(took < Duration::from_secs(20), "{took:?}");
    assert!(owner.len() > 2 && owner.iter().all(|took| *took < Duration::from_secs(5)), "{owner:?}");
    // What is over holds nobody up.
    nobody(&bed).login("bob", PASSWORD).await.unwrap();
}
