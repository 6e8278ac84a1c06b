//! The lessons hold.

use std::path::Path;

use e2e::bed::Bed;
use e2e::demo::tour::{SCENES, stage};
use e2e::scene::{Scene, play, read, read_all};
use e2e::wait::eventually;

use crate::books;
use crate::stand::setup;

/// The pieces of each product that can be ordered.
fn shelves(bed: &Bed) -> Vec<i64> {
    (1..=9).map(|number| books::stock(bed, &format!("p-{number}")).0).collect()
}

/// The lessons about failure open shops of their own, and take their time.
const FAILURE: &str = "05-load-balancing.md";

/// Each scene changes the shop a little; they are written so that they don't mind each other, and one shop does for all.
/// They leave as many products on the shelf as they found, so a shop that lasts can be toured for ever.
async fn they_end_as_they_say(which: impl Fn(&Scene) -> bool) {
    let bed = setup().limited().start().await;
    let folder = bed.folder().join("stage");
    std::fs::create_dir(&folder).unwrap();
    let stage = stage(bed.ports(), Path::new(env!("CARGO_BIN_EXE_demo")), folder);
    let mut failed = Vec::new();
    let before = shelves(&bed);
    for scene in read_all(Path::new(SCENES)).unwrap().into_iter().filter(which) {
        let watch = |_: &_, outcome: &e2e::scene::Outcome| {
            if !outcome.wrong.is_empty() {
                failed.push(format!(
                    "{}: {}\n{}\n{:#?}",
                    scene.name, outcome.command, outcome.printed, outcome.wrong
                ));
            }
        };
        play(&scene, &stage, watch).await.unwrap();
    }
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
    eventually("everything is back on the shelf", books::SETTLED_WITHIN, async || {
        (shelves(&bed) == before).then_some(())
    })
    .await;
}

#[tokio::test]
async fn every_lesson_about_what_works_ends_as_it_says() {
    they_end_as_they_say(|scene| scene.chapter != Path::new(FAILURE)).await;
}

#[tokio::test]
async fn every_lesson_about_what_fails_ends_as_it_says() {
    they_end_as_they_say(|scene| scene.chapter == Path::new(FAILURE)).await;
}

#[test]
fn every_lesson_points_to_a_chapter() {
    let book = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../gateway/docs"));
    for scene in read_all(Path::new(SCENES)).unwrap() {
        let chapter = book.join(&scene.chapter);
        assert!(
            chapter.is_file(),
            "{} points to {}, which is not there",
            scene.name,
            chapter.display()
        );
    }
}

#[test]
fn a_lesson_that_is_none_is_refused_with_its_file() {
    let error = read(Path::new("/nowhere/99-nothing.toml")).unwrap_err().to_string();
    assert!(error.contains("99-nothing.toml"), "{error}");
}
