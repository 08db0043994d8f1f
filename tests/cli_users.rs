//! `graphium user …` against a server.

use super::{
    World,
    home::{code, json, stderr, stdout},
};
use graphium_server::client::Client;

const PASSWORD: &str = "correct horse battery";

#[tokio::test(flavor = "multi_thread")]
async fn people_are_taken_on_by_a_link_changed_and_listed() {
    let world = World::start().await;
    let output = world.run(&["user", "add", "ann", "--role", "admin", "--link", "--expires", "15m"]).await;
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let (link, told) = (stdout(&output), stderr(&output));
    let base = format!("{}/web/setup/", world.server.url());
    let secret = link.trim_end().strip_prefix(&base).unwrap_or_else(|| panic!("{link}")).to_owned();
    assert!(secret.starts_with("gph_") && told.contains("once") && !told.contains("gph_"), "{told}");
    let nobody = Client::new(&world.server.url(), None).unwrap();
    nobody.redeem_link(&secret, PASSWORD).await.unwrap();
    nobody.login("ann", PASSWORD).await.unwrap();

    let output = world.run(&["user", "add", "bob", "--role", "operator", "--stack", "shop", "--link"]).await;
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let output = world.run(&["user", "set", "bob", "--role", "viewer"]).await;
    assert_eq!(stdout(&output), "user `bob` is viewer of these stacks: shop\n", "{}", stderr(&output));
    let output = world.run(&["user", "set", "bob", "--stack", "shop", "--stack", "blog", "-o", "json"]).await;
    assert_eq!(json(&output)["stacks"], serde_json::json!(["blog", "shop"]));
    let output = world.run(&["user", "set", "bob", "--all-stacks"]).await;
    assert_eq!(stdout(&output), "user `bob` is viewer of these stacks: all\n", "{}", stderr(&output));
    let output = world.run(&["user", "link", "bob", "-o", "json"]).await;
    assert!(json(&output)["link"].as_str().unwrap().starts_with(&base), "{}", stdout(&output));
    let listed = world.stdout(&["user", "list"]).await;
    for word in ["LAST LOGIN", "ann", "admin", "bob", "viewer", "all"] {
        assert!(listed.contains(word), "{word}: {listed}");
    }

    for (words, expected, status) in [
        (&["set", "ann", "--role", "viewer"][..], "last administrator", 1),
        (&["remove", "ann"], "last administrator", 1),
        (&["set", "eve", "--role", "viewer"], "eve", 1),
        (&["set", "bob"], "--role", 2),
        (&["set", "bob", "--stack", "shop", "--all-stacks"], "cannot be used with", 2),
        (&["link", "bob", "--expires", "2d"], "900", 1),
        (&["add", "eve", "--role", "viewer", "--expires", "1h"], "--link", 2),
    ] {
        let output = world.run(&[&["user"], words].concat()).await;
        assert!(code(&output) == status && stderr(&output).contains(expected), "{words:?}: {}", stderr(&output));
    }
}
