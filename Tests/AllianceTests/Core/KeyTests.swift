import TestSupport
import Testing
import TransparencyLog

@testable import Alliance

@Suite("Keys and names")
struct KeyTests {
    @Test("Keys of small order, not canonical or of another length are refused")
    func badKeys() throws {
        let good = try TestKey.signingKey("pk root-1").bytes
        #expect(throws: Never.self) { try SigningKey(good) }
        var wrongs: [[UInt8]] = [[], Array(good.dropLast()), good + [0]]
        let zero = [UInt8](repeating: 0, count: 32)
        wrongs.append(zero)
        wrongs.append([1] + zero.dropFirst())
        wrongs.append([1] + zero.dropFirst().dropLast() + [0x80])
        wrongs.append([0xEC] + [UInt8](repeating: 0xFF, count: 30) + [0x7F])
        // y = p, p + 1 and 2^255 - 1: not below the field's prime.
        wrongs.append([0xED] + [UInt8](repeating: 0xFF, count: 30) + [0x7F])
        wrongs.append([0xEE] + [UInt8](repeating: 0xFF, count: 30) + [0x7F])
        wrongs.append([UInt8](repeating: 0xFF, count: 32))
        for bytes in wrongs {
            let error = #expect(throws: AllianceError.self) { try SigningKey(bytes) }
            #expect(error?.code == .badKey)
        }
    }

    @Test("Names of members, keys, registers, origins, maps and works")
    func names() {
        #expect(MemberID.isValid("did:web:pk.alliance.example"))
        #expect(MemberID.isValid("did:web:example.com:user:alice"))
        for text in ["", "did:web:", "did:web:Pk", "did:key:z6", "did:web:a b", "did:web:a#b", "did:web:\u{212A}"] {
            #expect(!MemberID.isValid(text))
        }
        #expect(KeyName.isValid("root-1"))
        for text in ["", "-a", ".a", "_a", "A", "a b", "a#b", String(repeating: "a", count: 65)] {
            #expect(!KeyName.isValid(text))
        }
        #expect(RegisterName.isShared("vasp-licences"))
        #expect(!RegisterName.isShared("pk.notes"))
        #expect(RegisterName.isOwn("pk.notes", of: "pk"))
        for text in ["pk.", "pk", "pkx.notes", "sv.notes"] { #expect(!RegisterName.isOwn(text, of: "pk")) }
        for text in ["", "1a", "A", "a/b", "@documents", "a b"] { #expect(!RegisterName.isValid(text)) }
        #expect(MapName.isValid("vasp-licences/lei"))
        #expect(MapName.isValid("@rosters"))
        for text in ["", "@other", "vasp-licences/", "vasp-licences/1", "a/b/c", "/lei", "A"] {
            #expect(!MapName.isValid(text))
        }
        #expect(Origin.isValid("pk.alliance.example/log"))
        for text in [
            "", "/", "a/", "/a", "a//b", "a/./b", "a/../b", "A", "a b", "a+b", String(repeating: "a", count: 201),
        ] {
            #expect(!Origin.isValid(text))
        }
        #expect(PolicyDocument.isWork("/akn/pk/act/2025/virtual-assets"))
        for text in ["", "/akn/", "/akn/pk", "/akn/pk/../x", "/akn/pk//x", "/akn/PK/x", "akn/pk/x", "/akn/pk/x y"] {
            #expect(!PolicyDocument.isWork(text))
        }
    }

    @Test("A signer's description shows no key")
    func signerDescription() {
        #expect("\(TestAlliance.root("pk"))" == "did:web:pk.alliance.example#root-1")
    }
}
