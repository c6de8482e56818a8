import TestSupport
import Testing

@testable import Alliance

@Suite("Timestamps")
struct TimestampTests {
    @Test(
        "RFC 3339 with a zone reads and writes itself",
        arguments: [
            ("1970-01-01T00:00:00Z", 0), ("2026-11-24T00:00:00+05:00", 1_795_460_400),
            ("2026-11-23T19:00:00Z", 1_795_460_400), ("2000-02-29T23:59:59-11:30", 951_910_199),
            ("0001-01-01T00:00:00Z", -62_135_596_800), ("9999-12-31T23:59:59Z", 253_402_300_799),
            ("2024-02-29T12:00:00+00:01", 1_709_207_940),
        ] as [(String, Int64)])
    func reads(text: String, seconds: Int64) throws {
        let time = try #require(Timestamp(parsing: text))
        #expect(time.seconds == seconds)
        #expect(time.text == text)
    }

    @Test(
        "Anything else is refused",
        arguments: [
            "", "2026-11-24", "2026-11-24T00:00:00", "2026-11-24T00:00:00z", "2026-11-24t00:00:00Z",
            "2026-11-24 00:00:00Z",
            "2026-11-24T00:00:00+00:00", "2026-11-24T00:00:00-00:00", "2026-11-24T00:00:00+0500",
            "2026-11-24T24:00:00Z",
            "2026-11-24T00:60:00Z", "2026-11-24T23:59:60Z", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z", "2026-01-00T00:00:00Z", "0000-01-01T00:00:00Z", "2026-11-24T00:00:00.5Z",
            "+026-11-24T00:00:00Z", "2026-11-24T00:00:00+24:00", "2026-11-24T00:00:00+05:60", "２026-11-24T00:00:00Z",
        ])
    func refuses(text: String) { #expect(Timestamp(parsing: text) == nil) }

    @Test("People's times: the member's zone, and no trap at any number")
    func human() throws {
        let human = HumanTime(member: try TestAlliance.draft().members[0])
        #expect(human.text(1_795_460_400) == "2026-11-24 00:00 UTC+5")
        #expect(HumanTime.utc.text(1_795_460_401) == "2026-11-23 19:00:01 UTC")
        for extreme in [Int64.min, -62_135_596_800, 253_402_300_799, Int64.max] {
            #expect(!human.text(extreme).isEmpty)
            _ = HumanTime.age(extreme)
        }
        #expect(HumanTime.age(60) == "1 minute ago")
        #expect(HumanTime.age(86_400 * 3) == "3 days ago")
    }
}
