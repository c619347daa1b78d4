//! Checked text and data: what is refused, and what a checked value can do.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hash};

use bytes::Bytes;
use mqtt_proto::{Binary, BinaryTooLong, FIELD_MAX_BYTES, ShareName, Text, TextError, TopicFilter, TopicName, Version};

fn hash(value: impl Hash) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(value)
}

#[test]
fn text_of_65535_bytes_is_taken_and_of_65536_refused() {
    let longest = "a".repeat(FIELD_MAX_BYTES);
    let longer = "a".repeat(FIELD_MAX_BYTES + 1);
    assert_eq!(FIELD_MAX_BYTES, 65_535);
    assert!(Text::new(&longest).is_ok() && TopicName::new(&longest).is_ok());
    assert!(TopicFilter::new(&longest).is_ok() && ShareName::new(&longest).is_ok());
    assert!(Binary::new(longest.as_bytes()).is_ok());
    assert_eq!(Text::new(&longer).unwrap_err(), TextError::TooLong);
    assert_eq!(TopicName::new(&longer).unwrap_err(), TextError::TopicTooLong);
    assert_eq!(TopicFilter::new(&longer).unwrap_err(), TextError::TopicTooLong);
    assert_eq!(ShareName::new(&longer).unwrap_err(), TextError::TopicTooLong);
    assert_eq!(Binary::new(longer.as_bytes()).unwrap_err(), BinaryTooLong);
}

#[test]
fn text_is_utf_8_without_nul_and_may_hold_anything_else() {
    assert_eq!(
        Text::from_bytes(&b"\xC0\x80"[..]).unwrap_err(),
        TextError::IllFormedUtf8
    );
    assert_eq!(Text::new("a\0b").unwrap_err(), TextError::NulCharacter);
    assert_eq!(TopicName::new("a\0b").unwrap_err(), TextError::NulCharacter);
    assert_eq!(ShareName::new("a\0b").unwrap_err(), TextError::NulCharacter);
    for text in ["", "a\u{1}b", "\u{FFFF}", "+/#", "Ŧėśt"] {
        assert_eq!(Text::new(text).expect(text).as_str(), text);
    }
}

#[test]
fn a_topic_name_is_not_empty_and_has_no_wildcard() {
    assert_eq!(TopicName::new("").unwrap_err(), TextError::Empty);
    assert_eq!(TopicName::new("a/+").unwrap_err(), TextError::WildcardInTopicName);
    assert_eq!(TopicName::new("#").unwrap_err(), TextError::WildcardInTopicName);
    let topic = TopicName::new("$SYS//load").expect("valid");
    assert!(topic.is_reserved() && !TopicName::new("SYS$").expect("valid").is_reserved());
    assert_eq!(topic.levels().collect::<Vec<_>>(), [&b"$SYS"[..], b"", b"load"]);
}

#[test]
fn a_share_name_is_one_level_without_wildcards() {
    assert_eq!(ShareName::new("").unwrap_err(), TextError::EmptyShareName);
    for name in ["a/b", "+", "a#"] {
        assert_eq!(ShareName::new(name).unwrap_err(), TextError::InvalidShare, "{name}");
    }
    assert_eq!(ShareName::new("workers").expect("valid"), "workers");
}

#[test]
fn a_shared_filter_is_taken_apart() {
    let filter = TopicFilter::new("$share/group/a/+").expect("valid");
    let shared = filter.shared().expect("shared");
    assert_eq!((shared.name.as_str(), shared.filter.as_str()), ("group", "a/+"));
    assert!(filter.has_wildcard() && filter.is_valid_in_v5());
    assert_eq!(filter.levels().count(), 4);
    assert!(TopicFilter::new("share/group/a").expect("valid").shared().is_none());
    assert!(!TopicFilter::new("$share/group/a").expect("valid").has_wildcard());
}

#[test]
fn what_begins_like_a_share_and_is_none_is_a_filter_before_5_0() {
    for text in ["$share/g", "$share//a", "$share/", "$share/+/a", "$share/g/"] {
        assert!(TopicFilter::new(text).is_err(), "{text}");
        for version in [Version::V3_1, Version::V3_1_1] {
            let filter = TopicFilter::from_bytes_for(version, text.as_bytes()).expect(text);
            assert!(!filter.is_valid_in_v5() && filter.shared().is_none(), "{text}");
        }
    }
    let topic = TopicName::new("$share/b/a").expect("valid");
    let filter = TopicFilter::from_bytes_for(Version::V3_1_1, &b"$share/+/a"[..]).expect("valid");
    assert!(filter.matches(&topic), "the share name is a level like any other");
    let old = TopicFilter::from_bytes_for(Version::V3_1_1, &b"a/+"[..]).expect("valid");
    assert!(old.is_valid_in_v5());
}

/// Holds for every checked type; `one` and `other` are two texts, the first before the second.
macro_rules! behaves_like_its_bytes {
    ($test:ident, $type:ident) => {
        #[test]
        fn $test() {
            let one = $type::new("abc").expect("valid");
            let other = $type::new("abd").expect("valid");
            let owned = one.to_owned();
            assert_eq!(
                (one.as_bytes(), one.len(), one.is_empty()),
                (&b"abc"[..], 3, false)
            );
            assert_eq!(
                (one.as_str(), one.to_string(), format!("{one:?}")),
                ("abc", "abc".to_owned(), "\"abc\"".to_owned())
            );
            assert_eq!(format!("{one:>5}"), "  abc");
            assert!(one == "abc" && one != "abd" && one == *"abc" && one != *"ab" && one != other);
            assert_eq!((owned.clone(), owned.as_view()), (one.to_owned(), one));
            assert_eq!(owned.into_inner(), Bytes::from_static(b"abc"));
            assert_eq!(
                (one.partial_cmp(&other), other.cmp(&one)),
                (Some(Ordering::Less), Ordering::Greater)
            );
            let bytes: &[u8] = one.borrow();
            assert_eq!((bytes, one.as_ref()), (&b"abc"[..], &b"abc"[..]));
            let set = BTreeSet::from([other, one, one]);
            assert_eq!(set.into_iter().collect::<Vec<_>>(), [one, other]);
            assert_eq!(hash(&one), hash(&b"abc"[..]), "it is found by its bytes");
            assert_ne!(hash(&one), hash(&other));
        }
    };
}

behaves_like_its_bytes!(text_behaves_like_its_bytes, Text);
behaves_like_its_bytes!(a_topic_name_behaves_like_its_bytes, TopicName);
behaves_like_its_bytes!(a_topic_filter_behaves_like_its_bytes, TopicFilter);
behaves_like_its_bytes!(a_share_name_behaves_like_its_bytes, ShareName);

#[test]
fn binary_data_behaves_like_its_bytes() {
    let data = Binary::new(&b"\x00\xFF"[..]).expect("short");
    assert_eq!(
        (data.as_bytes(), data.len(), data.is_empty()),
        (&b"\x00\xFF"[..], 2, false)
    );
    assert_eq!(data.to_owned().into_inner(), Bytes::from_static(b"\x00\xFF"));
    assert_eq!(data.to_owned().as_view(), data);
    assert_eq!(hash(data), hash(&b"\x00\xFF"[..]));
    assert_ne!(hash(data), hash(Binary::<&[u8]>::default()));
    assert!(data > Binary::new(&b"\x00"[..]).expect("short"));
    assert!(Binary::<&[u8]>::default().is_empty() && Binary::<Bytes>::default().is_empty());
    assert!(Text::<&[u8]>::default().is_empty() && Text::<Bytes>::default().is_empty());
}

#[test]
fn data_is_shown_as_text_where_it_is_text_and_never_more_than_32_bytes_of_it() {
    let shown = |bytes: &[u8]| format!("{:?}", Binary::new(bytes).expect("short"));
    assert_eq!(shown(b"on"), "\"on\"");
    assert_eq!(shown(b""), "\"\"");
    assert_eq!(shown(b"a\nb"), "0x610a62");
    assert_eq!(shown(b"\xFF\x01"), "0xff01");
    assert_eq!(shown(&[b'a'; 32]), format!("\"{}\"", "a".repeat(32)));
    assert_eq!(shown(&[b'a'; 33]), format!("\"{}\"... (33 bytes)", "a".repeat(32)));
    assert_eq!(shown(&[0xFF; 40]), format!("0x{}... (40 bytes)", "ff".repeat(32)));
}
