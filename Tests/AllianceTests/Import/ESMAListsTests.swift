import Testing

@testable import Alliance

@Suite("Import of ESMA's other lists")
struct ESMAListsTests {
    private static let warnings =
        "ae_competentAuthority,ae_homeMemberState,ae_lei_name,ae_lei,ae_lei_cou_code,ae_commercial_name,ae_website,"
        + "ae_infrigment,ae_reason,ae_decision_date,ae_comments,ae_lastupdate"
    private static let other =
        "ae_competentAuthority,ae_homeMemberState,ae_lei_name,ae_lei,ae_lei_cou_code,ae_lei_name_casp,ae_lei_casp,"
        + "ae_offerCode_cou,ae_DTI_FFG,ae_DTI,wp_url,wp_comments,wp_lastupdate,,"
    private static let money =
        "ae_competentAuthority,ae_homeMemberState,ae_lei_name,ae_lei,ae_lei_cou_code,ae_commercial_name,ae_address,"
        + "ae_website,ac_authorisationNotificationDate,ac_authorisationEndDate,ae_exemption48_4,ae_exemption48_5,"
        + "ae_authorisation_other_emt,ae_DTI_FFG,ae_DTI,wp_url,wp_authorisationNotificationDate,wp_comments,wp_lastupdate"
    private static let referenced =
        "ae_competentAuthority,ae_homeMemberState,ae_lei_name,ae_lei,ae_lei_cou_code,ae_commercial_name,ae_address,"
        + "ae_website,ac_authorisationNotificationDate,ac_authorisationEndDate,ae_credit_institution,wp_url,"
        + "wp_authorisationNotificationDate,wp_url_cou,wp_comments,wp_lastupdate"

    private static func read(_ header: String, _ rows: String..., into register: String) throws -> ImportResult {
        let definition = try #require(BuiltInRegisters.definition(named: register))
        let text = ([header] + rows).joined(separator: "\r\n") + "\r\n"
        let result = try RegisterImport(into: definition, zone: .utc).read(Array(text.utf8))
        #expect(result.refused.isEmpty, "\(result.refused)")
        return result
    }

    @Test("a warning: key, status, date, domains")
    func warning() throws {
        let row =
            "Sample Authority,IT,Bad Firm,,,Bad,https://bad.example|www.worse.example,No,None,12/02/2025,,18/02/2025"
        let result = try Self.read(Self.warnings, row, row, into: "warnings")
        #expect(result.layout == .esmaNCASP)
        #expect(result.rows.map(\.key) == ["IT/2025-02-12/Bad Firm"])
        #expect(result.repeated.count == 1)
        let one = try #require(result.rows.first)
        #expect(one.status == "warned")
        #expect(one.validFrom?.text == "2025-02-12T00:00:00Z")
        #expect(one.fields["domains"] == ["bad.example", "www.worse.example", "worse.example"])
        #expect(one.fields["reason"] == nil)
        #expect(one.notes.map(\.kind) == [.website, .noValue])
    }

    @Test("two warnings of one name and date that differ are two rows, whatever else comes before them")
    func warningsOfOneName() throws {
        func row(_ site: String) -> String { "Sample Authority,IT,Bad Firm,,,Bad,\(site),No,,12/02/2025,,18/02/2025" }
        let result = try Self.read(
            Self.warnings, row("a.example"), row("b.example"), row("a.example"), into: "warnings")
        #expect(result.rows.map(\.key) == ["IT/2025-02-12/Bad Firm", "IT/2025-02-12/Bad Firm/2"])
        #expect(result.repeated.map(\.line) == [4])
        #expect(result.rows[1].notes.map(\.text).last?.contains("line 2 has the key") == true)
    }

    @Test("a warning without a name is known by its domain, one without a date speaks from when it is published")
    func namelessWarning() throws {
        let result = try Self.read(Self.warnings, "Sample Authority,IT,,,,,a.example,,,,,", into: "warnings")
        #expect(result.rows.map(\.key) == ["IT/a.example"])
        #expect(result.rows[0].validFrom == nil)
    }

    @Test("other white papers: keys by issuer and address, stable whatever the rest of the row says")
    func otherPapers() throws {
        let lei = SampleCASPFile.lei(1)
        func row(_ issuer: String, _ update: String) -> String {
            "Sample Authority,IE,\(issuer),\(lei),BVI,Helper Ltd,\(lei) ,IE|FR|,5RJT6339X,1WQ8SGRXX I M5D76SHV5 I JVMWS68W,"
                + "https://paper.example/wp.pdf ,\(update),19/06/2025, ,"
        }
        let first = try Self.read(Self.other, row("Issuer SA", "one"), into: "token-white-papers")
        let second = try Self.read(Self.other, row("Issuer SA", "two"), into: "token-white-papers")
        #expect(first.layout == .esmaOTHER)
        let one = try #require(first.rows.first)
        #expect(one.key == second.rows.first?.key)
        #expect(one.key.hasPrefix("Issuer%20SA/"))
        #expect(one.status == "notified")
        #expect(one.validFrom == nil)
        #expect(one.fields["kind"] == "other")
        #expect(one.fields["dti"] == ["1WQ8SGRXX", "M5D76SHV5"])
        #expect(one.fields["offerCountries"] == ["IE", "FR"])
        #expect(one.fields["leiCountry"] == nil)
        #expect(one.fields["whitePaper"] == "https://paper.example/wp.pdf")
        #expect(
            one.notes.contains { $0.text.hasPrefix("\"JVMWS68W\" does not match") && $0.text.hasSuffix("left out") })
        #expect(one.notes.contains { $0.text.hasPrefix("\"BVI\"") })
        #expect(first.fileNotes.contains { $0.contains("no dates of notification") })
        let nameless = try Self.read(Self.other, row("Not Available", "one"), into: "token-white-papers")
        #expect(nameless.rows[0].key.hasPrefix("Sample%20Authority/"))
        let two = try Self.read(
            Self.other, row("Issuer SA", "one"), row("Issuer SA", "two"), into: "token-white-papers")
        #expect(two.rows.map(\.key) == [one.key, "\(one.key)-2"])
        #expect(two.rows[1].fields["paper"]?.string?.hasSuffix("-2") == true)
    }

    @Test("papers of e-money tokens are notified, those of asset-referenced tokens approved, from their dates")
    func tokens() throws {
        let lei = SampleCASPFile.lei(2)
        let emt =
            "Sample Bank,FR,Money SA,\(lei),FR,Money,1 Street,https://money.example,01/02/2024,n/a,YES,No,Credit institution,"
            + ",,https://money.example/wp,01/07/2024,,02/07/2024"
        let money = try Self.read(Self.money, emt, into: "token-white-papers")
        #expect(money.layout == .esmaEMT)
        let one = try #require(money.rows.first)
        #expect(one.status == "notified")
        #expect(one.validFrom?.dateText == "2024-07-01")
        #expect(one.fields["exemption48_4"] == true)
        #expect(one.fields["exemption48_5"] == false)
        #expect(one.fields["authorisationDate"] == "2024-02-01")
        let art =
            "Sample Bank,FR,Basket SA,\(lei),FR,,,,01/02/2024,01/01/2026,No,https://basket.example/wp,01/07/2024,FR|IT,,"
        let referenced = try Self.read(Self.referenced, art, into: "token-white-papers")
        #expect(referenced.layout == .esmaART)
        let other = try #require(referenced.rows.first)
        #expect(other.status == "approved")
        #expect(other.fields["offerCountries"] == ["FR", "IT"])
        #expect(other.notes.contains { $0.kind == .status && $0.text.contains("ended on 2026-01-01") })
        #expect(try Self.read(Self.referenced, into: "token-white-papers").counts.read == 0)
    }

    @Test("a list goes into its own register only")
    func register() throws {
        let definition = try #require(BuiltInRegisters.definition(named: "vasp-licences"))
        for header in [Self.warnings, Self.other, Self.money, Self.referenced] {
            let error = try #require(throws: ImportError.self) {
                try RegisterImport(into: definition, zone: .utc).read(Array("\(header)\r\n".utf8))
            }
            #expect(error.code == .layout)
            #expect(error.reason.contains("not vasp-licences"))
        }
    }
}
