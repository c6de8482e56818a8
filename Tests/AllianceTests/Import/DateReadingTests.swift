import Testing

@testable import Alliance

@Suite("Dates and zones")
struct DateReadingTests {
    private static func read(_ text: String, _ order: DateOrder? = nil) -> String {
        switch WrittenDate.read(text) {
        case .failure: return "none"
        case .success(let date):
            switch date.resolved(order) {
            case .success(let day)?: return day.description
            case .failure?: return "none"
            case nil: return "ambiguous"
            }
        }
    }

    @Test(
        "dates as people write them",
        arguments: [
            ("2026-11-24", "2026-11-24"), ("3 Nov 2026", "2026-11-03"), ("03-NOV-2026", "2026-11-03"),
            ("3 November 2026", "2026-11-03"),
            ("Nov 3, 2026", "2026-11-03"), ("24/11/2026", "2026-11-24"), ("24.11.2026", "2026-11-24"),
            ("11/24/2026", "2026-11-24"),
            ("03/04/2026", "ambiguous"), ("3.4.2026", "ambiguous"), ("04/04/2026", "2026-04-04"),
            ("2026/11/24", "2026-11-24"),
            ("31/02/2026", "none"), ("2026-02-29", "none"), ("13/13/2026", "none"), ("32/01/2026", "none"),
            ("0/1/2026", "none"),
            ("3 Nov 26", "none"), ("24/11/26", "none"), ("24/11.2026", "none"), ("2026", "none"), ("", "none"),
            ("soon", "none"),
            ("3 Smarch 2026", "none"), ("2026-11-24T00:00:00Z", "none"), ("٢٤/١١/٢٠٢٦", "none"), ("3,4,2026", "none"),
            ("1/1/0001", "none"),
            ("99999999999999999999/1/2026", "none"), ("-1/2/2026", "none"), ("24/11/2026/", "none"),
        ])
    func written(text: String, date: String) { #expect(Self.read(text) == date) }

    @Test("a layout or a column decides between day and month")
    func orders() {
        #expect(Self.read("03/04/2026", .dayFirst) == "2026-04-03")
        #expect(Self.read("03/04/2026", .monthFirst) == "2026-03-04")
        #expect(Self.read("24/11/2026", .monthFirst) == "none")
        #expect(Self.read("11/24/2026", .dayFirst) == "none")
    }

    @Test("a bare date begins at midnight in the member's zone")
    func midnights() throws {
        func midnight(_ zone: String, _ year: Int, _ month: Int, _ day: Int) throws -> String {
            let zone = try #require(MemberZone(zone))
            return zone.midnight(of: try #require(CivilDate(year: year, month: month, day: day))).text
        }
        #expect(try midnight("Asia/Karachi", 2026, 11, 24) == "2026-11-24T00:00:00+05:00")
        #expect(try midnight("America/El_Salvador", 2026, 11, 24) == "2026-11-24T00:00:00-06:00")
        #expect(try midnight("Europe/Paris", 2026, 7, 1) == "2026-07-01T00:00:00+02:00")
        #expect(try midnight("America/New_York", 2026, 3, 8) == "2026-03-08T00:00:00-05:00")
        #expect(try midnight("America/New_York", 2026, 3, 9) == "2026-03-09T00:00:00-04:00")
        #expect(try midnight("UTC", 1970, 1, 1) == "1970-01-01T00:00:00Z")
        // The clocks of Beirut skip from midnight to one o'clock; those of Havana show half past midnight twice.
        #expect(try midnight("Asia/Beirut", 2025, 3, 30) == "2025-03-30T01:00:00+03:00")
        #expect(try midnight("America/Havana", 2025, 11, 2) == "2025-11-02T00:00:00-04:00")
        #expect(MemberZone("Atlantis/Center") == nil)
        let karachi = try #require(MemberZone("Asia/Karachi"))
        #expect(karachi.date(of: Timestamp(seconds: 1_795_460_400)).description == "2026-11-24")
        #expect(karachi.date(of: Timestamp(seconds: 1_795_460_399)).description == "2026-11-23")
    }
}
