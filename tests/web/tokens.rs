//! The page of tokens: what each is for, when it was used, when it ends; and how one is made for less than everything.

use crate::{
    bed::Bed,
    visitor::{Visitor, between},
};
use jiff::{SignedDuration, Timestamp};
use reqwest::Method;

/// The row of a token by its name.
fn row<'p>(page: &'p str, name: &str) -> &'p str {
    let start = page
        .find(&format!("<tr><th scope=\"row\" class=\"wrap\">{name}"))
        .unwrap_or_else(|| panic!("no {name}: {page}"));
    between(&page[start..], "<tr>", "</tr>")
}

fn cell<'p>(row: &'p str, name: &str) -> &'p str {
    between(row, &format!("data-l=\"{name}\""), "</td>").split_once('>').unwrap().1
}

#[tokio::test]
async fn a_token_is_made_for_some_stacks_and_days_and_its_row_tells_these_and_when_it_was_used() {
    let bed = Bed::new().await;
    let visitor = Visitor::with(&bed, &bed.token).await;
    let form = visitor.page("/web/tokens").await;
    for field in ["name=\"stacks\"", "name=\"days\""] {
        assert!(form.contains(field), "{field}: {form}");
    }
    let fields = [("name", "Ada"), ("role", "operator"), ("stacks", "shop, blog"), ("days", "30")];
    let page = visitor.send("/web/tokens", &fields).await.text().await.unwrap();
    let token = between(&page, "id=\"made\">", "<").to_owned();
    let ada = row(&page, "Ada");
    assert_eq!((cell(ada, "Role"), cell(ada, "Stacks")), ("operator", "blog, shop"));
    assert!(cell(ada, "Last used").contains("never"), "{ada}");
    assert!(cell(ada, "Ends").contains(">in 29d<") || cell(ada, "Ends").contains(">in 30d<"), "{ada}");

    let tokens = bed.admin.tokens().await.unwrap();
    let kept = tokens.iter().find(|one| one.name.as_deref() == Some("Ada")).unwrap();
    assert_eq!(kept.stacks.stacks(), ["blog", "shop"]);
    let lasts = kept.expires.unwrap().duration_since(Timestamp::now());
    assert!(lasts > SignedDuration::from_hours(30 * 24 - 1) && lasts <= SignedDuration::from_hours(30 * 24), "{lasts}");

    assert!(bed.client(&token).stacks().await.unwrap().is_empty());
    let page = visitor.page("/web/tokens").await;
    assert!(cell(row(&page, "Ada"), "Last used").contains(" ago<"), "{}", row(&page, "Ada"));

    visitor.send("/web/tokens", &[("name", "Bob"), ("role", "viewer"), ("stacks", " "), ("days", "")]).await;
    let page = visitor.page("/web/tokens").await;
    let bob = row(&page, "Bob");
    assert!(cell(bob, "Stacks").contains("all") && cell(bob, "Ends").contains("when revoked"), "{bob}");
}

#[tokio::test]
async fn a_token_that_cannot_be_made_like_that_is_refused_beside_what_was_filled_in() {
    let bed = Bed::new().await;
    let visitor = Visitor::with(&bed, &bed.token).await;
    let count = bed.admin.tokens().await.unwrap().len();
    for (role, stacks, days, words) in [
        ("viewer", "shop", "soon", "a whole number of days"),
        ("viewer", "shop", "0", "a whole number of days"),
        ("operator", "shop", "99999", "a whole number of days"),
        ("admin", "shop", "30", "granted to operators and viewers"),
        ("agent", "shop", "30", "is no role for people"),
    ] {
        let fields = [("name", "Ada & co"), ("role", role), ("stacks", stacks), ("days", days)];
        let answer = visitor.send("/web/tokens", &fields).await;
        assert_eq!(answer.status(), 422, "{role} {days}");
        let page = answer.text().await.unwrap();
        assert!(between(&page, "id=\"refused\"", "</p>").contains(words), "{words}: {page}");
        let form = between(&page, "action=\"/web/tokens\"", "</form>");
        for kept in ["value=\"Ada &#38; co\"", "value=\"shop\"", &format!("value=\"{days}\"")] {
            assert!(form.contains(kept), "{kept}: {form}");
        }
        let chosen = format!("value=\"{role}\" selected");
        assert!(role == "agent" || form.contains(&chosen), "{chosen}: {form}");
    }
    assert_eq!(bed.admin.tokens().await.unwrap().len(), count, "one was made all the same");
    let list = bed.json(Method::GET, "/api/v1/tokens", None, 200).await;
    assert!(!list.to_string().contains("Ada"), "{list}");
}
