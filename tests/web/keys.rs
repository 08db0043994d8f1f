//! The page without a mouse.

use crate::{
    bed::{Bed, stack},
    browser::{Browser, ENTER, TAB},
};
use serde_json::json;

/// What has the focus, whether one sees that, and whether it is beside the content. What is seen is its outline, or that of what is
/// around it or names it.
const WHERE: &str = "const one = document.activeElement; \
    const isDrawn = (node) => { \
        const {outlineStyle, outlineWidth} = getComputedStyle(node), {width, height} = node.getBoundingClientRect(); \
        return outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2 && width > 4 && height > 4; \
    }; \
    const around = []; \
    for (let node = one; node && node.id !== 'main'; node = node.parentElement) around.push(node); \
    const isSeen = [...around, ...(one.labels ?? [])].some(isDrawn); \
    return [one.name || one.id || one.className || one.innerText, isSeen, one.closest('main') === null]";

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_is_deployed_without_a_mouse_and_one_sees_where_one_is() {
    let bed = Bed::new().await;
    let _vm1 = bed.host("vm1").await;
    let url = bed.server.url();
    let browser = Browser::start().await;
    browser.enter(&url, &bed.token).await;
    browser.open(&format!("{url}/web/stacks/new")).await;
    browser.press(TAB).await;
    assert_eq!(browser.run(WHERE).await, json!(["skip", true, true]), "what comes first");
    browser.press(ENTER).await;
    browser.until("the content has the focus", "return document.activeElement.id === 'main'").await;
    let mut visited = Vec::new();
    for _ in 0..40 {
        browser.press(TAB).await;
        let place = browser.run(WHERE).await;
        let name = place[0].as_str().unwrap().to_owned();
        assert_eq!(
            place,
            json!([name, true, false]),
            "after {visited:?}: its name, that it is seen, that it is skipped"
        );
        match (name.as_str(), browser.run("return document.activeElement.value").await.as_str()) {
            ("document", _) => {
                browser.write("#document", &stack("shop", "vm1").to_string()).await;
                browser.until_there("#check .verdict").await;
            }
            ("do", Some("deploy")) => break,
            _ => {}
        }
        visited.push(name);
    }
    for name in ["file", "document", "rollback", "timeout"] {
        assert!(visited.iter().any(|one| one == name), "{name} is not among {visited:?}");
    }
    browser.press(ENTER).await;
    browser.until("it is deployed", "return location.pathname === '/web/stacks/shop'").await;
    browser.end().await;
}
