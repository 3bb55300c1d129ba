//! The auditors' listener over real mutual TLS: who gets in, what the pages say without a browser, and the tiles as mirrors read them.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use samband::audit::checkpoint::{Checkpoint, Origin};
use samband::audit::note::LogSigner;
use samband::audit::tile_nodes::TileNodes;
use samband::audit::tiles::{TileId, partials_of, tiles_for};
use samband::audit::tree::root_at;
use samband::domain::participant::{Role, Standing};
use samband::domain::scope::AuditScope;
use samband::grpc::pb;
use samband::grpc::server::ServerLimits;
use samband::policy::reason::Reason;
use samband::policy::table::Verb;
use samband::tls::{ClientFiles, ClientSettings};
use tower_service::Service as _;

use crate::harness::{AUDITOR, Kind, LAB, MIRROR, OSLO, UNIT, World, drain, pki, settings};
use crate::identity::{changed, issue_stranger};

const REFUSED: u16 = 40;
const AUDIT_READ: u16 = 60;
const AUDIT_ASKED: u16 = 61;
const PAGES: [&str; 9] =
    ["", "/search", "/counts", "/reviews", "/log", "/help", "/entry/0", "/question/results-elsewhere", "/question/forbidden"];

/// Opens the listener.
pub async fn open(world: &mut World) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    world.app.open_auditor(listener);
    address
}

pub struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

pub struct Site<'w> {
    pub world: &'w World,
    pub address: SocketAddr,
}

impl Site<'_> {
    async fn with(&self, files: &ClientFiles, method: Method, path: &str) -> Answer {
        self.with_headers(files, method, path, &[]).await
    }

    async fn with_headers(&self, files: &ClientFiles, method: Method, path: &str, fields: &[(&str, &str)]) -> Answer {
        let settings = ClientSettings::load(files, self.world.clock.clone()).unwrap();
        let mut channel = self.world.channel_at(self.address, &settings);
        std::future::poll_fn(|cx| channel.poll_ready(cx)).await.unwrap();
        let request = Request::builder().method(method).uri(format!("http://localhost{path}"));
        let request = fields.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let request = request.body(tonic::body::Body::empty()).unwrap();
        let (parts, body) = channel.call(request).await.unwrap().into_parts();
        Answer { status: parts.status, headers: parts.headers, body: body.collect().await.unwrap().to_bytes() }
    }

    pub async fn get(&self, who: &str, path: &str) -> Answer {
        self.with(&pki().client_files(who), Method::GET, path).await
    }
}

#[tokio::test]
async fn pages_are_an_auditor_s_and_every_other_role_is_refused_with_a_reason_and_an_event() {
    let mut world = World::start().await;
    let address = open(&mut world).await;
    let site = Site { world: &world, address };
    for lang in ["nb", "en"] {
        for page in PAGES {
            let answer = site.get(AUDITOR, &format!("/{lang}{page}")).await;
            assert_eq!(answer.status, StatusCode::OK, "{lang}{page}: {}", answer.text());
            assert!(answer.text().contains(&format!("<html lang=\"{lang}\"")), "{lang}{page}");
            assert_eq!((answer.header("cache-control"), answer.header("content-language")), ("no-store", lang));
            assert!(answer.header("content-security-policy").starts_with("default-src 'none'; style-src 'self'; "));
            assert!(answer.headers.get("set-cookie").is_none() && !answer.text().contains("<script"), "{lang}{page}");
        }
    }
    for (ahead, period) in
        [("from=2099-01-01", "by day, 2099-01-01."), ("from=2099-01-01&to=2099-12-31", "by month, 2099-01-01 to 2099-12-31.")]
    {
        let answer = site.get(AUDITOR, &format!("/en/counts?{ahead}")).await;
        assert!(answer.text().contains("This period has not begun") && answer.text().contains(period), "{ahead}: {}", answer.text());
        assert!(!answer.text().contains("role=\"img\""), "{ahead}");
    }
    for who in [OSLO, UNIT, LAB, MIRROR] {
        let before = world.records(REFUSED, Some(who)).await.len();
        for page in PAGES {
            let answer = site.get(who, &format!("/en{page}")).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{who} {page}");
            assert!(answer.text().contains("CALL_NOT_ALLOWED") && answer.text().contains("for auditors only"), "{who} {page}");
        }
        let left = world.records(REFUSED, Some(who)).await;
        assert_eq!(left.len(), before + PAGES.len(), "{who}: an event each");
        assert!(left.iter().all(|record| record.reason == Some(Reason::CallNotAllowed.number())));
    }
}

#[tokio::test]
async fn the_suspended_and_the_not_enrolled_get_a_plain_page() {
    let mut world = World::start().await;
    let address = open(&mut world).await;
    let suspended = changed(&world, |all| all.iter_mut().find(|one| one.id.as_str() == AUDITOR).unwrap().standing = Standing::Suspended);
    world.app.load_register(&suspended, [2; 32]).await.unwrap();
    let site = Site { world: &world, address };
    for path in ["/en", "/", "/nowhere", "/checkpoint", "/tile/0/000.p/1"] {
        let answer = site.get(AUDITOR, path).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
        assert!(answer.text().contains("PARTICIPANT_SUSPENDED"), "{path}");
    }
    assert_eq!(world.records(REFUSED, Some(AUDITOR)).await.len(), 5);
    let dir = tempfile::tempdir().unwrap();
    let (certificate_file, key_file) = issue_stranger(dir.path());
    let files = ClientFiles { certificate_file, key_file, server_ca_files: vec![pki().ca_file()] };
    for path in ["/en", "/checkpoint"] {
        let answer = site.with(&files, Method::GET, path).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        assert!(answer.text().contains("KEY_NOT_ENROLLED"));
    }
    world.clock.advance_millis(61_000);
    tokio::time::timeout(Duration::from_secs(10), async {
        while world.records(42, None).await.is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("strangers are summed by the minute");
}

#[tokio::test]
async fn nothing_but_reading_is_answered_and_the_root_leads_to_a_language() {
    let mut world = World::start().await;
    let address = open(&mut world).await;
    let site = Site { world: &world, address };
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
        let answer = site.with(&pki().client_files(AUDITOR), method, "/en").await;
        assert_eq!((answer.status, answer.header("allow")), (StatusCode::METHOD_NOT_ALLOWED, "GET, HEAD"));
    }
    // Who may not read them is refused as for a GET, and not in a sum.
    for path in ["/en", "/en/case/04HMAS-W9NF6Y-Y41J5S", "/checkpoint", "/nowhere"] {
        let answer = site.with(&pki().client_files(LAB), Method::POST, path).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
        assert!(answer.text().contains("CALL_NOT_ALLOWED"), "{path}");
    }
    assert_eq!(world.records(REFUSED, Some(LAB)).await.len(), 4);
    let head = site.with(&pki().client_files(AUDITOR), Method::HEAD, "/en/help").await;
    assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0));
    let home = site.get(AUDITOR, "/").await;
    assert_eq!((home.status, home.header("location")), (StatusCode::SEE_OTHER, "/nb"));
    assert_eq!(site.get(AUDITOR, "/en/nowhere").await.status, StatusCode::NOT_FOUND);
    assert_eq!(site.get(AUDITOR, "/en/entry/999999").await.status, StatusCode::NOT_FOUND);
    for page in ["/en", "/en/question/erased", "/en/counts"] {
        let turned_round = site.get(AUDITOR, &format!("{page}?from=2028-02-20&to=2028-02-10")).await;
        assert_eq!(turned_round.status, StatusCode::BAD_REQUEST, "{page}");
        assert!(turned_round.text().contains("The last day is before the first."), "{page}");
    }
    let wrong = site.get(AUDITOR, "/en/search?name=Kari").await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    assert!(wrong.text().contains("none of them is about persons"));
}

#[tokio::test]
async fn another_site_s_page_asks_nothing_in_an_auditor_s_name() {
    let mut world = World::start().await;
    let address = open(&mut world).await;
    let site = Site { world: &world, address };
    let files = pki().client_files(AUDITOR);
    let asked = async || world.records(AUDIT_READ, Some(AUDITOR)).await.len() + world.records(AUDIT_ASKED, Some(AUDITOR)).await.len();
    let from = |of: &'static str, mode, dest| [("sec-fetch-site", of), ("sec-fetch-mode", mode), ("sec-fetch-dest", dest)];
    let before = asked().await;
    for fields in [
        from("cross-site", "no-cors", "image"),
        from("cross-site", "navigate", "iframe"),
        from("cross-site", "cors", "empty"),
        from("same-site", "no-cors", "script"),
    ] {
        for (method, path) in
            [(Method::GET, "/en/case/04HMAS-W9NF6Y-Y41J5S"), (Method::GET, "/checkpoint"), (Method::HEAD, "/en"), (Method::POST, "/")]
        {
            let answer = site.with_headers(&files, method.clone(), path, &fields).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{method} {path} {fields:?}");
            assert!(method == Method::HEAD || answer.text().contains("ANOTHER_SITE"), "{path}");
        }
    }
    assert_eq!(asked().await, before, "nothing stands in the auditor's name");
    assert!(world.records(REFUSED, Some(AUDITOR)).await.is_empty());
    // Who has no right to the pages does not choose the milder record.
    let answer = site.with_headers(&pki().client_files(OSLO), Method::GET, "/en", &from("cross-site", "no-cors", "image")).await;
    assert!(answer.status == StatusCode::FORBIDDEN && answer.text().contains("CALL_NOT_ALLOWED"), "{}", answer.text());
    assert_eq!(world.records(REFUSED, Some(OSLO)).await.len(), 1);
    // A link that it follows is its own question, wherever the link stands; so is what it types, and what a program asks.
    let followed: [&[(&str, &str)]; 4] = [
        &from("cross-site", "navigate", "document"),
        &from("none", "navigate", "document"),
        &from("same-origin", "navigate", "document"),
        &[],
    ];
    for (n, fields) in (1..).zip(followed) {
        let answer = site.with_headers(&files, Method::GET, "/en/entry/0", fields).await;
        assert_eq!(answer.status, StatusCode::OK, "{fields:?}");
        assert_eq!(asked().await, before + n, "{fields:?}");
    }
    world.clock.advance_millis(61_000);
    let sums = tokio::time::timeout(Duration::from_secs(10), async {
        loop {
            let sums = world.records(41, Some(AUDITOR)).await;
            if !sums.is_empty() {
                break sums;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("they are summed by the minute");
    assert!(sums.iter().all(|sum| sum.reason == Some(Reason::AnotherSite.number())), "{sums:?}");
    assert_eq!(sums.iter().filter_map(|sum| sum.count).sum::<u64>(), 4 * 4);
}

#[tokio::test]
async fn a_case_shows_what_happened_and_never_what_was_said() {
    let mut world = World::start().await;
    let address = open(&mut world).await;
    let notice = world.case().await;
    world.unit().report_non_attendance(world.send_report(&notice.case_ref)).await.unwrap();
    let site = Site { world: &world, address };
    let sample = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/samples/notice-both.json")).unwrap();
    let secrets: Vec<String> = ["familyName", "family_name", "givenName", "given_name", "fnr"]
        .iter()
        .filter_map(|name| sample.split(&format!("\"{name}\": \"")).nth(1)?.split('"').next().map(ToOwned::to_owned))
        .collect();
    assert!(secrets.len() >= 2, "the sample has a person");
    for path in [format!("/en/case/{}", notice.case_ref), "/en/search".to_owned(), "/en".to_owned()] {
        let answer = site.get(AUDITOR, &path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        for secret in &secrets {
            assert!(!answer.text().contains(secret.as_str()), "{path}");
        }
    }
    let case = site.get(AUDITOR, &format!("/en/case/{}", notice.case_ref)).await;
    let at = |what: &str| case.text().find(what).unwrap_or_else(|| panic!("{what}"));
    assert!(at("Condition notice accepted") < at("Handed out to recipient"));
    assert!(at("Handed out to recipient") < at("Acknowledged by recipient"));
    assert!(at("Acknowledged by recipient") < at("Non-attendance report accepted"));
}

#[tokio::test]
async fn the_page_of_a_case_names_a_damaged_record_as_a_gap_and_to_a_scoped_auditor_by_its_place_alone() {
    let mut world = World::on(Kind::Embedded, settings(), ServerLimits::default()).await;
    let address = open(&mut world).await;
    let notice = world.case().await;
    // A hold is what makes a turn due at once, which puts records into files.
    let hold = pb::PlaceHoldRequest { case_ref: notice.case_ref.clone(), reason: 1, until: "2027-01-31".to_owned() };
    world.auditor().place_hold(hold).await.unwrap();
    let copied = async || {
        let holds = world.auditor().list_holds(pb::ListHoldsRequest {}).await.unwrap().into_inner().holds;
        holds[0].copy() == pb::HoldCopy::Whole
    };
    for _ in 0..200 {
        if copied().await {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(copied().await);
    // In its month and in the hold's copy, of which it is the first: one of both would give it.
    let held = std::fs::read_dir(world.dir.path().join("store/holds")).unwrap().map(|entry| entry.unwrap().path()).next().unwrap();
    for (file, slot) in [(world.dir.path().join("store/records/2026-11.rec"), usize::try_from(notice.log_index).unwrap()), (held, 0)] {
        let mut bytes = std::fs::read(&file).unwrap();
        bytes[32 + 768 * slot + 100] ^= 1;
        std::fs::write(&file, bytes).unwrap();
    }

    let (case, entry) = (format!("case/{}", notice.case_ref), format!("entry/{}", notice.log_index));
    let named = |lang: &str| format!("<a class=\"ds-link\" href=\"/{lang}/{entry}\">{}</a>", notice.log_index);
    let site = Site { world: &world, address };
    for (lang, gap, rest) in [
        ("en", "1 entry cannot be read and could not be compared: ", "Handed out to recipient"),
        ("nb", "1 oppføring kan ikke leses og kunne ikke sammenlignes: ", "Utlevert til mottaker"),
    ] {
        let page = site.get(AUDITOR, &format!("/{lang}/{case}")).await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(page.text().contains(&format!("{gap}{}", named(lang))), "{}", page.text());
        assert!(page.text().contains(rest), "what can be read is shown: {}", page.text());
    }
    let scope = AuditScope::Participants([UNIT.parse().unwrap()].into());
    let register = changed(&world, |all| all.iter_mut().find(|one| one.id.as_str() == AUDITOR).unwrap().scope = Some(scope));
    world.app.load_register(&register, [3; 32]).await.unwrap();
    let page = site.get(AUDITOR, &format!("/en/{case}")).await;
    assert!(page.text().contains("Handed out to recipient"), "{}", page.text());
    assert!(!page.text().contains(&entry), "no case leads to it: {}", page.text());
    let told = "1 entry of the log cannot be read. Whether any of them belongs here nobody can tell.";
    assert!(page.text().contains(told), "{}", page.text());
    let none = samband::domain::id::CaseRef::from_bytes([9; 10]);
    for path in [format!("case/{none}"), format!("search?case_ref={none}"), "search?kind=REFUSED".to_owned()] {
        let page = site.get(AUDITOR, &format!("/en/{path}")).await;
        assert!(page.status == StatusCode::OK && page.text().contains(told), "of every other case too: {}", page.text());
    }
    let page = site.get(AUDITOR, &format!("/en/{entry}")).await;
    assert!(page.text().contains("<strong>Damaged. </strong>"), "by its place it is told: {}", page.text());
}

/// As a follower does: checkpoint, then the tiles that it needs, then the root.
async fn follow(site: &Site<'_>, who: &str) -> u64 {
    let answer = site.get(who, "/checkpoint").await;
    assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, "text/plain; charset=utf-8"));
    assert_eq!(answer.header("cache-control"), "no-store");
    let origin: Origin = "log.samband.example/e2e".parse().unwrap();
    let signer = LogSigner::from_seed(origin.key_name(), zeroize::Zeroizing::new([9; 32]));
    let head = Checkpoint::open(answer.text(), signer.verifier()).unwrap();
    let mut tiles = std::collections::HashMap::new();
    for tile in tiles_for(0, head.size()) {
        let answer = site.get(who, &format!("/{tile}")).await;
        assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, "application/octet-stream"), "{tile}");
        assert_eq!(answer.header("cache-control"), "public, max-age=31536000, immutable");
        tiles.insert(tile, answer.body.to_vec());
    }
    let nodes = TileNodes::new(head.size(), |tile: TileId| tiles.get(&tile).cloned().ok_or(tile));
    assert_eq!(root_at(&nodes, head.size()).unwrap(), head.root());
    head.size()
}

#[tokio::test]
async fn auditors_and_mirrors_follow_the_log_by_its_tiles_and_are_noted_once_a_day() {
    for kind in [Kind::Memory, Kind::Embedded] {
        let mut world = World::on(kind, settings(), ServerLimits::default()).await;
        let address = open(&mut world).await;
        while world.store.stats().await.unwrap().durable_size < 300 {
            world.noticed().await;
        }
        let site = Site { world: &world, address };
        assert_eq!(site.get(MIRROR, "/checkpoint").await.status, StatusCode::OK);
        world.store.published().await.unwrap();
        let size = follow(&site, MIRROR).await;
        assert!(size >= 300, "{size}");
        follow(&site, AUDITOR).await;
        let noted = |records: Vec<samband::audit::record::Record>, verb: Verb| {
            records.into_iter().filter(|record| record.verb == Some(verb.number())).count()
        };
        assert_eq!(noted(world.records(AUDIT_READ, Some(MIRROR)).await, Verb::MirrorTiles), 1, "{kind:?}");
        assert_eq!(noted(world.records(AUDIT_READ, Some(AUDITOR)).await, Verb::ReadTiles), 1, "{kind:?}");

        // What was published stays to be had, also when its tile is full; what never was is not there.
        let partial = partials_of(size).next().unwrap();
        assert_eq!(site.get(MIRROR, &format!("/{partial}")).await.status, StatusCode::OK);
        assert_eq!(site.get(MIRROR, "/tile/entries/000.p/17").await.body.len(), 17 * 35);
        assert_eq!(site.get(MIRROR, "/tile/0/000.p/255").await.body.len(), 255 * 32);
        let head = site.with(&pki().client_files(MIRROR), Method::HEAD, "/tile/0/000").await;
        assert_eq!((head.status, head.header("content-length"), head.body.len()), (StatusCode::OK, "8192", 0));
        for missing in ["/tile/0/900", "/tile/entries/001", "/tile/1/000", "/tile/7/000.p/1", "/tile/63/000", "/tile/0/x001/000"] {
            assert_eq!(site.get(MIRROR, missing).await.status, StatusCode::NOT_FOUND, "{kind:?} {missing}");
        }
        for hostile in
            ["/tile/0/../../CURRENT", "/tile/0/%2e%2e/CURRENT", "/tile/0/000.p/0", "/tile/8/0", "/tile/entries/000/", "/checkpoint?x"]
        {
            let answer = site.get(AUDITOR, hostile).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{kind:?} {hostile}");
        }
        assert_eq!(site.get(MIRROR, "/tile/nothing").await.status, StatusCode::FORBIDDEN, "a mirror is not told what is a page");
        let refused = site.get(LAB, "/tile/0/000").await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
        assert!(refused.text().contains("CALL_NOT_ALLOWED"));

        world.clock.advance_millis(86_400_000);
        site.get(MIRROR, "/checkpoint").await;
        assert_eq!(noted(world.records(AUDIT_READ, Some(MIRROR)).await, Verb::MirrorTiles), 2, "{kind:?}: a new day");
        if kind == Kind::Embedded {
            world.app.shutdown(Duration::from_secs(5)).await.unwrap();
        }
    }
}

#[test]
fn every_role_but_two_is_kept_from_the_tiles() {
    use samband::policy::table::role_of;
    assert_eq!((role_of(Verb::ReadTiles), role_of(Verb::MirrorTiles)), (Role::Auditor, Role::Mirror));
}

/// The indices of a page of the search, and where the next page is.
fn listed(page: &str) -> (Vec<u64>, Option<String>) {
    let body = page.split("<tbody>").nth(1).unwrap_or_default().split("</tbody>").next().unwrap_or_default();
    let index = |cell: &str| cell.split('"').next().and_then(|text| text.parse().ok());
    let indices = body.split("href=\"/en/entry/").skip(1).filter_map(index).collect();
    let next = page.split("rel=\"next\" href=\"").nth(1).and_then(|rest| rest.split('"').next());
    (indices, next.map(|path| path.replace("&amp;", "&")))
}

#[tokio::test]
async fn the_command_of_a_page_lists_what_the_page_shows() {
    let mut world = World::start().await;
    let address = open(&mut world).await;
    for _ in 0..40 {
        world.noticed().await;
        world.unit_polls("a").await;
    }
    let site = Site { world: &world, address };
    let newest = site.get(AUDITOR, "/en/search").await;
    let older = listed(newest.text()).1.unwrap();
    for path in ["/en/search", older.as_str(), "/en/search?before=30", "/en/search?after=10", "/en/search?before=30&kind=NOTICE_ACCEPTED"] {
        let page = site.get(AUDITOR, path).await;
        let command = page.text().split_once("samband audit list").unwrap().1.split('<').next().unwrap().to_owned();
        let value = |option: &str| {
            command.split_once(option).unwrap_or_else(|| panic!("{path}: {command}")).1.split(' ').nth(1).unwrap().parse().unwrap()
        };
        let request = samband::grpc::pb::ListRecordsRequest {
            from_index: value("--from-index"),
            to_index: Some(value("--to-index")),
            kinds: command.contains("--kind notice-accepted").then_some(10).into_iter().collect(),
            ..Default::default()
        };
        let rows = drain(world.auditor().list_records(request).await.unwrap().into_inner()).await;
        let entries = rows.into_iter().filter_map(|row| match row.row {
            Some(samband::grpc::pb::list_records_response::Row::Entry(entry)) => Some(entry.index),
            _ => None,
        });
        let mut entries: Vec<u64> = entries.collect();
        entries.reverse();
        assert!(!entries.is_empty(), "{path}");
        assert_eq!(listed(page.text()).0, entries, "{path}: {command}");
    }
}

#[tokio::test]
async fn turning_pages_shows_every_entry_once_and_is_one_event() {
    let mut world = World::start().await;
    let address = open(&mut world).await;
    for n in 0..40 {
        let (request, _) = world.noticed().await;
        if n % 9 == 0 {
            let withdrawal = world.withdraw_notice(&request.message_id, samband::grpc::pb::NoticeWithdrawalReason::SentInError);
            world.prosecution().send_condition_notice(withdrawal).await.unwrap();
        }
        world.unit_polls("a").await;
    }
    let site = Site { world: &world, address };
    for (query, kinds) in
        [("", vec![]), ("?kind=NOTICE_ACCEPTED", vec![10]), ("?outcome=withdrawn", vec![11, 13, 15]), ("?participant=ru-oslo", vec![])]
    {
        let asked = world.records(61, Some(AUDITOR)).await.len();
        let size = world.store.stats().await.unwrap().durable_size;
        let filter = samband::store::RecordFilter {
            to_index: Some(size + 1),
            kinds,
            participant: query.strip_prefix("?participant=").map(|id| id.parse().unwrap()),
            ..samband::store::RecordFilter::default()
        };
        let (mut seen, mut path) = (Vec::new(), Some(format!("/en/search{query}")));
        let mut wanted = None;
        while let Some(at) = path {
            let answer = site.get(AUDITOR, &at).await;
            assert_eq!(answer.status, StatusCode::OK, "{at}");
            let (indices, next) = listed(answer.text());
            wanted.get_or_insert(world.store.records(&filter, 10_000).await.unwrap());
            assert!(indices.len() <= 50, "{at}");
            seen.extend(indices);
            path = next;
        }
        let mut all: Vec<u64> = wanted.unwrap().entries.iter().map(|entry| entry.index).collect();
        all.reverse();
        // A list ends before its own event, or has it: never anything else.
        all.retain(|index| *index < size || seen.first() == Some(index));
        assert_eq!(seen, all, "{query}");
        assert_eq!(world.records(61, Some(AUDITOR)).await.len(), asked + 1, "{query}: one event a query, not one a page");
    }
}
