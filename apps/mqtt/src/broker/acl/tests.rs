//! What rules allow, and what no name makes of them.

use proptest::prelude::*;

use super::*;
use crate::broker::Config;

fn permissions(text: &str) -> Permissions {
    let (permissions, report) = Permissions::parse(&[("acl".as_ref(), text.as_bytes())]);
    assert!(report.is_empty(), "{report}");
    permissions
}

fn topic(text: &str) -> TopicName<&[u8]> {
    TopicName::new(text).expect("a topic")
}

fn filter(text: &str) -> TopicFilter<&[u8]> {
    TopicFilter::new(text).expect("a filter")
}

const fn client(client_id: &str) -> Who<'_> {
    Who { client_id, user: None }
}

const fn user(name: &str) -> Who<'_> {
    Who {
        client_id: "c",
        user: Some(name),
    }
}

#[test]
fn without_rules_everything_is_allowed_but_to_publish_below_sys() {
    let open = Permissions::default();
    assert!(open.may_publish(client("c"), &topic("a/b")));
    assert!(open.may_subscribe(client("c"), &filter("$SYS/#")) && open.may_subscribe(client("c"), &filter("#")));
    for closed in [
        "$SYS",
        "$SYS/broker/load",
        "$SYS/broker/connection/a/b/state",
        "$SYS/broker/connection/a",
        "$share/a",
    ] {
        assert!(!open.may_publish(client("c"), &topic(closed)), "{closed}");
    }
    assert!(open.may_publish(client("c"), &topic("$SYS/broker/connection/bridge/state")));
}

#[test]
fn an_empty_file_allows_nothing() {
    let closed = permissions("# nothing\n");
    assert!(!closed.may_publish(user("u"), &topic("a")) && !closed.may_subscribe(client("c"), &filter("a")));
    let rights = Rights {
        files: vec!["/nowhere/acl".into()],
        rules: Vec::new(),
    };
    let (closed, report) = Permissions::load(&rights);
    assert!(report.to_string().contains("/nowhere/acl: error"), "{report}");
    assert!(
        !closed.may_publish(user("u"), &topic("a")),
        "nor does one that is not there"
    );
}

#[test]
fn rules_before_any_user_are_for_anonymous_clients() {
    let rules = permissions("topic read news/#\nuser alice\ntopic write news/#\ntopic own/%u\n");
    let (anonymous, alice, bob) = (client("c"), user("alice"), user("bob"));
    assert!(rules.may_subscribe(anonymous, &filter("news/+")) && !rules.may_publish(anonymous, &topic("news/a")));
    assert!(rules.may_publish(alice, &topic("news/a")) && !rules.may_subscribe(alice, &filter("news/a")));
    assert!(!rules.may_publish(bob, &topic("news/a")) && !rules.may_receive(bob, &topic("news/a")));
    assert!(rules.may_publish(alice, &topic("own/%u")) && !rules.may_publish(alice, &topic("own/alice")));
}

#[test]
fn what_denies_goes_before_what_allows_wherever_it_stands() {
    let rules = permissions(
        "user a\ntopic readwrite x/#\ntopic deny x/secret/#\npattern readwrite x/secret/%u\npattern deny x/b\n",
    );
    let a = user("a");
    assert!(
        rules.may_publish(a, &topic("x/b")),
        "what the rules of a user allow, no pattern takes away"
    );
    assert!(!rules.may_publish(a, &topic("x/secret")) && !rules.may_receive(a, &topic("x/secret/a")));
    assert!(rules.may_publish(user("z"), &topic("x/secret/z")));
    assert!(
        !rules.may_subscribe(a, &filter("x/#")) && !rules.may_subscribe(a, &filter("x/+/c")),
        "a part is denied"
    );
    assert!(rules.may_subscribe(a, &filter("x/y/#")) && !rules.may_subscribe(a, &filter("y/#")));
}

#[test]
fn patterns_are_for_everybody_with_their_names() {
    let rules = permissions("user a\ntopic own\npattern read %u/in\npattern write dev-%c/out/%u\npattern read all/+\n");
    let who = Who {
        client_id: "7",
        user: Some("a"),
    };
    assert!(rules.may_subscribe(who, &filter("a/in")) && !rules.may_subscribe(who, &filter("b/in")));
    assert!(!rules.may_subscribe(who, &filter("+/in")));
    assert!(rules.may_publish(who, &topic("dev-7/out/a")) && !rules.may_publish(who, &topic("dev-7/out/b")));
    assert!(!rules.may_publish(who, &topic("dev-/out/a")) && !rules.may_publish(who, &topic("dev-77/out/a")));
    assert!(
        !rules.may_publish(client("7"), &topic("dev-7/out/a")),
        "it has no user name"
    );
    assert!(rules.may_subscribe(client("7"), &filter("all/x")) && rules.may_subscribe(who, &filter("all/+")));
}

#[test]
fn wildcards_do_not_stand_for_a_dollar() {
    let rules = permissions("topic #\ntopic read $SYS/broker/#\ntopic +/x\n");
    let who = client("c");
    assert!(rules.may_subscribe(who, &filter("#")) && rules.may_subscribe(who, &filter("+/y/#")));
    assert!(rules.may_subscribe(who, &filter("$SYS/broker/+")) && !rules.may_subscribe(who, &filter("$SYS/#")));
    assert!(!rules.may_receive(who, &topic("$other/x")) && !rules.may_publish(who, &topic("$other/x")));
    assert!(permissions("topic #\ntopic deny $SYS/#\n").may_subscribe(who, &filter("#")));
}

#[test]
fn a_shared_subscription_is_judged_by_its_filter() {
    let rules = permissions("topic read a/#\n");
    assert!(rules.may_subscribe(client("c"), &filter("$share/g/a/+")));
    assert!(!rules.may_subscribe(client("c"), &filter("$share/a/b")));
}

#[test]
fn a_name_that_could_be_a_filter_allows_nothing() {
    let rules = permissions("pattern in/%c/#\npattern %u/data\npattern read x/%u\n");
    for name in ["+", "#", "a/b", "a+", "/", "$SYS", "+/+", "%c", "%u"] {
        let who = Who {
            client_id: name,
            user: Some(name),
        };
        for asked in [
            "in/#",
            "in/+/#",
            "in/a/b",
            "+/data",
            "#",
            "$SYS/data",
            "x/+",
            "x/#",
            "x/a/b",
            "in/b/b",
        ] {
            assert!(!rules.may_subscribe(who, &filter(asked)), "{name} gets {asked}");
        }
    }
    assert!(
        rules.may_subscribe(user("%u"), &filter("%u/data")),
        "what is put in is not looked at again"
    );
}

#[test]
fn a_name_that_could_be_a_filter_escapes_no_denial() {
    let rules = permissions("pattern read log/#\npattern deny log/%c/x\n");
    assert!(!rules.may_receive(client("a"), &topic("log/a/x")) && rules.may_receive(client("a"), &topic("log/b/x")));
    for name in ["a/b", "+", "#", "a/"] {
        assert!(!rules.may_receive(client(name), &topic("log/a/b/x")), "{name}");
        assert!(!rules.may_subscribe(client(name), &filter("log/#")), "{name}");
        assert!(rules.may_receive(client(name), &topic("log")), "{name}");
    }
    let rules = permissions("pattern read $x/#\npattern read #\npattern deny %u/#\n");
    assert!(!rules.may_receive(user("$x"), &topic("$x/a")) && rules.may_receive(user("u"), &topic("$x/a")));
}

#[test]
fn rules_of_the_configuration_mean_what_those_of_a_file_mean() {
    let text = "[[rights.rule]]\nusers = ['a', 'b']\naccess = 'read'\nfilters = ['x/#', 'y']\n\
                [[rights.rule]]\nanonymous = true\nfilters = ['z']\n\
                [[rights.rule]]\naccess = 'deny'\nfilters = ['w/%u']\n\
                [[rights.rule]]\nfilters = ['w/+']\n";
    let (config, report) = Config::parse(text.as_bytes(), Path::new("mqtt.toml"));
    assert!(report.is_empty(), "{report}");
    let (rules, report) = Permissions::load(&config.rights);
    assert!(report.is_empty(), "{report}");
    assert!(rules.may_subscribe(user("b"), &filter("x/+")) && !rules.may_publish(user("b"), &topic("y")));
    assert!(rules.may_publish(client("c"), &topic("z")) && !rules.may_publish(user("a"), &topic("z")));
    assert!(rules.may_publish(user("a"), &topic("w/b")) && !rules.may_publish(user("a"), &topic("w/a")));
}

#[test]
fn a_wrong_line_is_told_with_its_number() {
    let told = |line: &str| {
        let (_, report) = Permissions::parse(&[("acl".as_ref(), format!("topic a\n{line}\n").as_bytes())]);
        assert_eq!(report.problems().len(), 1, "{report}");
        report.to_string()
    };
    for (line, why) in [
        ("topic foo bar", "\"foo\" is no kind of access"),
        ("topic", "the topic is missing"),
        ("user", "the name of the user is missing"),
        ("nonsense a", "\"nonsense\" is no keyword"),
        ("topic\tread\ta", "is no keyword"),
        ("Topic a", "\"Topic\" is no keyword"),
        ("topic read a#", "\"a#\": this is no topic filter"),
        ("pattern read %c%u", "two names in one level"),
        ("pattern read %c-%c", "two names in one level"),
    ] {
        let told = told(line);
        assert!(told.starts_with("acl:2:1: error: ") && told.contains(why), "{told}");
    }
}

#[test]
fn lines_are_read_as_mosquitto_reads_them() {
    let rules = permissions(
        "  topic a\r\ntopic   read  b c\n\n# x\n   # y\ntopic deny\ntopic read\nuser x y \ntopic write d\n",
    );
    let anonymous = client("c");
    assert!(rules.may_publish(anonymous, &topic("a")) && rules.may_receive(anonymous, &topic("b c")));
    assert!(rules.may_publish(anonymous, &topic("deny")) && rules.may_publish(anonymous, &topic("read")));
    assert!(rules.may_publish(user("x y"), &topic("d")) && !rules.may_publish(user("x"), &topic("d")));
}

fn level() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["a", "b", "", "$s", "+"])
}

fn any_filter() -> impl Strategy<Value = String> {
    let levels = prop::collection::vec(level(), 1..4);
    let text = (levels, any::<bool>()).prop_map(|(levels, rest)| levels.join("/") + if rest { "/#" } else { "" });
    let text = prop_oneof![9 => text, 1 => Just("#".to_owned())];
    text.prop_filter("not empty", |text| !text.is_empty())
}

/// Every topic of up to five levels whose levels make a difference to those filters: `z` is in none of them.
fn topics() -> Vec<String> {
    let mut all = vec![String::new()];
    let mut longest = all.clone();
    for depth in 0..5 {
        let levels = ["a", "b", "", "$s", "z"];
        let longer = longest.iter().flat_map(|topic| {
            levels.map(|level| {
                if depth == 0 {
                    level.to_owned()
                } else {
                    format!("{topic}/{level}")
                }
            })
        });
        longest = longer.collect();
        all.extend_from_slice(&longest);
    }
    all.retain(|topic| !topic.is_empty());
    all
}

/// A name for a client or user, with everything in it that means something in a filter.
fn name() -> impl Strategy<Value = String> {
    "[ab+#/$%cu]{0,4}"
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_rule_lies_to_a_filter_as_their_topics_do(rule in any_filter(), asked in any_filter()) {
        let parsed = RuleFilter::parse(&rule, true).expect("a filter");
        let of = |text: &str| TopicFilter::from_bytes_for(mqtt_proto::Version::V3_1_1, text.as_bytes().to_vec()).expect("a filter");
        let (rule, filter) = (of(&rule), of(&asked));
        let (mut all, mut some) = (true, false);
        for text in topics() {
            let topic = topic(&text);
            let is_asked = filter.matches(&topic);
            all &= !is_asked || rule.matches(&topic);
            some |= is_asked && rule.matches(&topic);
            prop_assert_eq!(parsed.allows_all(client("c"), Asked::Topic(&text)), rule.matches(&topic));
            prop_assert_eq!(parsed.denies_some(client("c"), Asked::Topic(&text)), rule.matches(&topic));
        }
        let (allows_all, denies_some) = (
            parsed.allows_all(client("c"), Asked::Filter(&asked)),
            parsed.denies_some(client("c"), Asked::Filter(&asked)),
        );
        // This one would stand for the empty topic too, which is none. Not to know that is only ever too strict.
        if rule.as_str() == "/#" || asked == "/#" {
            prop_assert!(allows_all <= all && denies_some >= some);
        } else {
            prop_assert_eq!((allows_all, denies_some), (all, some));
        }
    }

    #[test]
    fn no_name_makes_a_pattern_match_another_level(
        client_id in name(),
        name in name(),
        pattern in prop::sample::select(vec!["%u", "%c/x", "%u/%c", "d/%c/#", "d/x%u", "+/%u", "%u/#", "$s/%c"]),
        asked in "[ab+#/$%cu]{1,5}|d/[ab+#/]{0,4}|\\$s/[ab+#/]{0,3}",
    ) {
        let Ok(asked) = TopicFilter::new(&asked) else {
            return Ok(());
        };
        let who = Who { client_id: &client_id, user: Some(&name) };
        let rules = permissions(&format!("pattern read {pattern}\n"));
        if rules.may_subscribe(who, &asked) {
            let pattern: Vec<&str> = pattern.split('/').collect();
            let asked: Vec<&str> = asked.as_str().split('/').collect();
            for (at, level) in pattern.iter().enumerate().filter(|(_, level)| **level != "#") {
                let is_name = level.contains('%');
                // A name stands in one level, is there letter by letter, and is no wildcard. No pattern here has two in a level.
                let put_in = if level.contains("%c") { level.replace("%c", &client_id) } else { level.replace("%u", &name) };
                prop_assert!(!is_name || asked[at] == put_in);
                prop_assert!(!is_name || !asked[at].contains(['+', '#']));
                prop_assert!(at > 0 || !is_name || !asked[at].starts_with('$'));
            }
        }
    }

    #[test]
    fn no_name_gets_past_a_denial(client_id in name(), text in "d/[ab/]{0,5}") {
        let rules = permissions("pattern read #\npattern deny d/%c\n");
        let literally = format!("d/{client_id}");
        if text == literally {
            prop_assert!(!rules.may_receive(client(&client_id), &topic(&text)));
        }
        let Ok(literally) = TopicName::new(&literally) else {
            return Ok(());
        };
        prop_assert!(!rules.may_receive(client(&client_id), &literally));
    }

    #[test]
    fn any_line_is_read_or_told(line in "(topic|pattern|user|#)?[ a-z%#+/]{0,12}") {
        let (_, report) = Permissions::parse(&[("acl".as_ref(), line.as_bytes())]);
        prop_assert!(report.problems().len() <= 1);
    }
}
