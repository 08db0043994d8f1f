//! What a page can do, done: through its own forms, with agents that tests play.

use crate::{
    bed::{Bed, eventually, report, stack},
    browser::Browser,
    played::Played,
    visitor::{Visitor, between, place_of},
};
use graphium_core::{action::TaskType, agent::AgentLink};
use reqwest::Method;
use serde_json::{Value, json};

async fn task(bed: &Bed, id: &str) -> Value {
    bed.json(Method::GET, &format!("/api/v1/tasks/{id}"), None, 200).await
}

async fn becomes(bed: &Bed, stack: &str, status: &str) {
    eventually(status, async || {
        let now = bed.json(Method::GET, &format!("/api/v1/stacks/{stack}"), None, 200).await;
        (now["status"] == status).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_task_that_failed_is_tried_again_by_its_button_which_leads_back_to_where_it_was() {
    let bed = Bed::new().await;
    let vm1 = Played::new("vm1", bed.host("vm1").await);
    bed.deploy(&stack("shop", "vm1")).await;
    let visitor = Visitor::with(&bed, &bed.token).await;
    let mut held = vm1.take(1).await;
    let id = held[0].id.to_string();
    // The stack's page has the button beside the error, and among the tasks.
    for (page, piece, from, place) in [
        ("/web/stacks/shop".to_owned(), format!("id=\"f-{id}\""), "stack", "/web/stacks/shop".to_owned()),
        ("/web/stacks/shop".to_owned(), format!("id=\"t-{id}\""), "stack", "/web/stacks/shop".to_owned()),
        ("/web/tasks?show=failed".to_owned(), format!("id=\"t-{id}\""), "", format!("/web/tasks/{id}")),
        (format!("/web/tasks/{id}"), "<div class=\"acts\"".to_owned(), "", format!("/web/tasks/{id}")),
    ] {
        vm1.fails(&held[0], "no such image").await;
        let now = task(&bed, &id).await;
        assert_eq!(now["status"], "failed", "{now}");
        let shown = visitor.page(&page).await;
        let form = between(&shown[shown.find(&piece).unwrap()..], "<form", "</form>");
        let action = between(form, "action=\"", "\"").to_owned();
        assert_eq!(action, format!("/web/tasks/{id}/retry"), "{form}");
        assert_eq!(form.contains("name=\"from\" value=\"stack\""), from == "stack", "{form}");
        let answer = visitor.send(&action, &[("from", from)]).await;
        assert_eq!((answer.status().as_u16(), place_of(&answer)), (303, place), "{page}");
        held = vm1.take(1).await;
        assert_eq!(held.first().map(|task| task.id.to_string()), Some(id.clone()), "it is tried again");
    }
    vm1.done(&held[0]).await;
    vm1.work().await;
    becomes(&bed, "shop", "running").await;
}

#[tokio::test]
async fn a_stack_is_restarted_stopped_and_started_by_its_page() {
    let bed = Bed::new().await;
    let vm1 = Played::new("vm1", bed.host("vm1").await);
    bed.deploy(&stack("shop", "vm1")).await;
    vm1.work().await;
    becomes(&bed, "shop", "running").await;
    let visitor = Visitor::with(&bed, &bed.token).await;
    for (act, offered, verbs, status) in [
        ("restart", ["restart", "stop"].as_slice(), ["Stop", "Start"].as_slice(), "running"),
        ("stop", &["restart", "stop"], &["Stop"], "stopped"),
        // The agent goes on saying that it runs, so nothing is left to do.
        ("start", &["start"], &[], "running"),
    ] {
        let page = visitor.page("/web/stacks/shop").await;
        for one in ["restart", "stop", "start"] {
            let link = format!("href=\"/web/stacks/shop/{one}\"");
            assert_eq!(page.contains(&link), offered.contains(&one), "{one} before {act}: {page}");
        }
        let asked = visitor.page(&format!("/web/stacks/shop/{act}")).await;
        let action = between(&asked, "method=\"post\" action=\"/web/stacks", "\"").to_owned();
        let answer = visitor.send(&format!("/web/stacks{action}"), &[]).await;
        assert_eq!((answer.status().as_u16(), place_of(&answer).as_str()), (303, "/web/stacks/shop"), "{act}");
        let page = visitor.page("/web/stacks/shop").await;
        let work = page.split_once("id=\"h-news\"").map_or("", |(_, work)| work);
        for verb in ["Stop", "Start"] {
            let task = format!(">{verb} <b>shop-web</b>");
            assert_eq!(work.contains(&task), verbs.contains(&verb), "{verb} for {act}: {work}");
        }
        vm1.work().await;
        becomes(&bed, "shop", status).await;
        let page = visitor.page("/web/stacks/shop").await;
        assert!(between(&page, "<h1>", "</h1>").contains(status), "{act}: {page}");
    }
}

#[tokio::test]
async fn two_revisions_are_compared_property_by_property() {
    let bed = Bed::new().await;
    let _vm1 = bed.host("vm1").await;
    let mut document = stack("shop", "vm1");
    bed.deploy(&document).await;
    document["hasPart"][0]["image"] = json!("nginx:1.28");
    bed.deploy(&document).await;
    let other = json!({"@type": "datacenter:Container", "@id": "container:shop-db", "name": "db", "image": "redis:7"});
    document["hasPart"].as_array_mut().unwrap().push(other);
    bed.deploy(&document).await;
    let visitor = Visitor::with(&bed, &bed.token).await;
    let list = visitor.page("/web/stacks/shop/revisions").await;
    for number in 1..=3 {
        let row = between(&list, &format!("<tr id=\"r-{number}\">"), "</tr>");
        assert_eq!(row.contains("/web/stacks/shop/revisions?from="), number != 3, "{row}");
    }
    let compared = async |query: &str| {
        let page = visitor.page(&format!("/web/stacks/shop/revisions?{query}")).await;
        between(&page, "id=\"h-diff\"", "</section>").to_owned()
    };
    let image = "<del>nginx:1.27</del> <ins>nginx:1.28</ins>";
    let all = compared("from=1").await;
    assert!(all.starts_with(">From revision 1 to 3<"), "{all}");
    assert!(all.contains(image) && all.contains("<code>image</code>"), "{all}");
    assert!(all.contains("db <span class=\"tag\">added</span>"), "{all}");
    let last = compared("from=2&to=3").await;
    assert!(last.starts_with(">From revision 2 to 3<"), "{last}");
    assert!(last.contains("added") && !last.contains("nginx:1.27"), "{last}");
    let back = compared("from=3&to=1").await;
    assert!(back.contains("<del>nginx:1.28</del> <ins>nginx:1.27</ins>") && back.contains("removed"), "{back}");
    assert!(compared("from=2&to=2").await.contains("They say the same."));
    assert_eq!(visitor.get("/web/stacks/shop/revisions?from=9").await.status(), 404);
}

#[tokio::test]
async fn what_has_arrived_of_an_image_is_shown_in_numbers_and_as_a_bar() {
    let bed = Bed::new().await;
    let vm1 = Played::new("vm1", bed.host("vm1").await);
    bed.deploy(&stack("shop", "vm1")).await;
    let (pulls, others): (Vec<_>, Vec<_>) =
        vm1.take(2).await.into_iter().partition(|task| task.task_type == TaskType::Pull);
    vm1.done(&others[0]).await;
    vm1.pulls(&pulls, 40).await;
    let visitor = Visitor::with(&bed, &bed.token).await;
    let id = &pulls[0].id;
    let row = format!("<tr id=\"t-{id}\"");
    for (page, piece, end) in [
        ("/web/stacks/shop".to_owned(), "<tr id=\"c-web\"", "</tr>"),
        ("/web/stacks/shop".to_owned(), row.as_str(), "</tr>"),
        ("/web/tasks".to_owned(), row.as_str(), "</tr>"),
        (format!("/web/tasks/{id}"), "<dt>Does</dt>", "</dd>"),
    ] {
        let shown = visitor.page(&page).await;
        let piece = between(&shown, piece, end);
        assert!(piece.contains("pulling 40.0 MB of 100.0 MB"), "{page}: {piece}");
        assert!(piece.contains("<progress value=\"40\" max=\"100\" aria-label=\""), "{page}: {piece}");
        assert!(piece.contains("<time data-for=\"\""), "{page}: {piece}");
    }
    let banner = between(&visitor.page("/web/stacks/shop").await, "id=\"progress\"", "</div>").to_owned();
    assert!(banner.contains("Pull nginx:1.27 on vm1: pulling 40.0 MB of 100.0 MB"), "{banner}");
}

#[tokio::test]
async fn a_host_shows_how_much_of_it_is_in_use() {
    let bed = Bed::new().await;
    let (link, grant) = bed.host("vm1").await;
    let visitor = Visitor::with(&bed, &bed.token).await;
    let mut told = serde_json::to_value(report("vm1", grant.session.epoch)).unwrap();
    told["engine"] = json!({
        "endpoint": "unix:///run/docker.sock", "version": "27.1", "apiVersion": "1.46", "engineId": "e1",
        "cpus": 4.0, "memory": 8_000_000_000_u64, "platform": "linux/amd64"
    });
    link.observe(&serde_json::from_value(told.clone()).unwrap()).await.unwrap();
    let page = visitor.page("/web/hosts").await;
    let card = between(&page, "id=\"h-vm1\"", "</li>");
    assert!(!card.contains("<meter") && card.contains("<dd>8.0 GB</dd>"), "nothing is known of its load: {card}");
    told["usage"] = json!({"cpu": 3.0, "memory": 2_000_000_000_u64});
    link.observe(&serde_json::from_value(told).unwrap()).await.unwrap();
    let page = visitor.page("/web/hosts").await;
    let card = between(&page, "id=\"h-vm1\"", "</li>");
    for (words, value, name) in
        [("3.0 of 4 processors", 75, "Processors of vm1"), ("2.0 GB of 8.0 GB", 25, "Memory of vm1")]
    {
        let gauge = format!(
            "<span>{words}</span><meter min=\"0\" max=\"100\" high=\"90\" value=\"{value}\" aria-label=\"{name} in use\">"
        );
        assert!(card.contains(&gauge), "{gauge}: {card}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_comes_from_a_file_that_is_dropped_or_chosen() {
    let bed = Bed::new().await;
    let _vm1 = bed.host("vm1").await;
    let url = bed.server.url();
    let browser = Browser::start().await;
    browser.enter(&url, &bed.token).await;
    browser.open(&format!("{url}/web/stacks/new")).await;
    let file = |name: &str| {
        let text = stack(name, "vm1").to_string();
        format!("const held = new DataTransfer(); held.items.add(new File([{}], '{name}.jsonld'));", json!(text))
    };
    let dropped = "const there = document.getElementById('document'); \
        const drop = (kind) => there.dispatchEvent(new DragEvent(kind, {dataTransfer: held, bubbles: true, cancelable: true})); \
        const over = drop('dragover'), isMarked = document.getElementById('deploy').classList.contains('over'); \
        return [over, isMarked, drop('drop'), document.getElementById('deploy').classList.contains('over')]";
    // What is prevented is what a browser would do itself: leave the page and show the file.
    assert_eq!(browser.run(&format!("{} {dropped}", file("dropped"))).await, json!([false, true, false, false]));
    browser
        .until("its plan is there", "return document.querySelector('#check .verdict')?.innerText.includes('dropped:')")
        .await;
    let chosen = "const field = document.getElementById('file'); field.files = held.files; \
        field.dispatchEvent(new Event('change', {bubbles: true})); return document.querySelector('label[for=file]').offsetWidth > 0";
    assert_eq!(browser.run(&format!("{} {chosen}", file("chosen"))).await, true, "nobody sees where one chooses");
    browser
        .until("its plan is there", "return document.querySelector('#check .verdict')?.innerText.includes('chosen:')")
        .await;
    browser.click("button[value=deploy]").await;
    browser.until("it is deployed", "return location.pathname === '/web/stacks/chosen'").await;
    browser.end().await;
}
