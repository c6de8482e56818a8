import Crypto
import Foundation
import SwiftASN1
import Testing

@testable import Node

/// A folder of its own for a test, removed after it.
func withFolder<Value>(_ body: (String) async throws -> Value) async throws -> Value {
    // Short, since the path of a socket has at most 103 bytes.
    let path = "/tmp/en-\(UInt32.random(in: .min ... .max))"
    try FileManager.default.createDirectory(
        atPath: path, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try await body(path)
}

func mode(of path: String) throws -> Int {
    let value = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions]
    return try #require(value as? NSNumber).intValue
}

/// One after another: a debug build takes about a second for each scrypt, and blocks a thread meanwhile.
@Suite(.serialized) struct KeyFileTests {
    private let passphrase: Passphrase

    init() throws {
        self.passphrase = try Passphrase("correct horse")
    }

    @Test func everyKindHasItsAlgorithm() {
        for kind in KeyKind.allCases {
            let key = PrivateKey.generate(for: kind)
            #expect(key.fits(kind))
            #expect(PrivateKey(pkcs8: key.pkcs8)?.publicKey == key.publicKey)
            #expect(kind.isEd25519 == (key.publicKey.count == 32))
        }
    }

    @Test(arguments: [KeyKind.officer, .authority])
    func aKeyComesBackAsItWas(kind: KeyKind) async throws {
        try await withFolder { folder in
            let key = PrivateKey.generate(for: kind)
            let stored = try KeyFile.create(
                key, kind: kind, name: "a.b-1", in: folder, passphrase: self.passphrase, publicText: "one line\n")
            #expect(
                stored == StoredKey(kind: kind, name: "a.b-1", path: "\(folder)/a.b-1.key", publicKey: key.publicKey))
            let opened = try KeyFile.open(stored.path, kind: kind, passphrase: self.passphrase)
            #expect(opened.publicKey == key.publicKey)
            #expect(opened.pkcs8 == key.pkcs8)
            #expect(try mode(of: stored.path) == 0o600)
            #expect(try String(contentsOfFile: "\(folder)/a.b-1.pub", encoding: .utf8) == "one line\n")
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder).sorted() == ["a.b-1.key", "a.b-1.pub"])
        }
    }

    @Test(arguments: [KeyKind.officer, .node])
    func opensslReadsIt(kind: KeyKind) async throws {
        try await withFolder { folder in
            let key = PrivateKey.generate(for: kind)
            let stored = try KeyFile.create(
                key, kind: kind, name: "key", in: folder, passphrase: self.passphrase, publicText: "")
            let output = try await run(
                "openssl", ["pkey", "-in", stored.path, "-passin", "pass:correct horse", "-pubout", "-outform", "DER"])
            #expect(output.status == 0, "\(output.errors)")
            #expect(Array(output.bytes.suffix(kind.isEd25519 ? 32 : output.bytes.count)) == key.publicKey)
        }
    }

    @Test func readsWhatOpenSSLWrote() async throws {
        try await withFolder { folder in
            let plain = "\(folder)/plain.pem"
            let sealed = "\(folder)/sealed.key"
            #expect(try await run("openssl", ["genpkey", "-algorithm", "ed25519", "-out", plain]).status == 0)
            let arguments = ["pkcs8", "-topk8", "-scrypt", "-in", plain, "-out", sealed, "-passout", "pass:abcdefgh"]
            #expect(try await run("openssl", arguments).status == 0)
            chmod(sealed, 0o600)
            let other = try Passphrase("abcdefgh")
            #expect(throws: Never.self) { try KeyFile.open(sealed, kind: .root, passphrase: other) }
            chmod(plain, 0o600)
            expect(.notEncrypted) { try KeyFile.open(plain, kind: .root, passphrase: self.passphrase) }
        }
    }

    @Test func wrongPassphrase() async throws {
        try await withFolder { folder in
            let path = try self.create(folder)
            let wrong = try Passphrase("correct horsf")
            expect(.wrongPassphrase) { try KeyFile.open(path, kind: .log, passphrase: wrong) }
        }
    }

    @Test func aFileThatOthersMayUseIsRefused() async throws {
        try await withFolder { folder in
            let path = try self.create(folder)
            for mode: mode_t in [0o640, 0o604, 0o660, 0o620, 0o601] {
                chmod(path, mode)
                let error = expect(.exposed) { try KeyFile.open(path, kind: .log, passphrase: self.passphrase) }
                #expect(error?.description.contains("chmod 600") == true)
            }
        }
    }

    @Test func nothingIsOverwrittenUnlessAsked() async throws {
        try await withFolder { folder in
            let path = try self.create(folder)
            let before = try Data(contentsOf: URL(filePath: path))
            expect(.exists) { _ = try self.create(folder) }
            #expect(try Data(contentsOf: URL(filePath: path)) == before)
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder).sorted() == ["key.key", "key.pub"])
            _ = try self.create(folder, overwrite: true)
            #expect(try Data(contentsOf: URL(filePath: path)) != before)
        }
    }

    @Test func anotherPassphrase() async throws {
        try await withFolder { folder in
            let path = try self.create(folder)
            let key = try KeyFile.open(path, kind: .log, passphrase: self.passphrase).publicKey
            let new = try Passphrase("battery staple")
            try KeyFile.changePassphrase(path, kind: .log, from: self.passphrase, to: new)
            #expect(try KeyFile.open(path, kind: .log, passphrase: new).publicKey == key)
            expect(.wrongPassphrase) { try KeyFile.open(path, kind: .log, passphrase: self.passphrase) }
            #expect(try mode(of: path) == 0o600)
        }
    }

    @Test func whatACreationRefuses() async throws {
        try await withFolder { folder in
            for name in ["", "A", "../x", "a/b", ".a", "ä", String(repeating: "a", count: 65)] {
                expect(.invalidName) {
                    try KeyFile.create(
                        .generate(for: .log), kind: .log, name: name, in: folder, passphrase: self.passphrase,
                        publicText: "")
                }
            }
            expect(.wrongKind) {
                try KeyFile.create(
                    .generate(for: .node), kind: .log, name: "x", in: folder, passphrase: self.passphrase,
                    publicText: "")
            }
            expect(.weakPassphrase) {
                try KeyFile.create(
                    .generate(for: .log), kind: .log, name: "x", in: folder, passphrase: Passphrase("äöüäöüä"),
                    publicText: "")
            }
            let left = try FileManager.default.contentsOfDirectory(atPath: folder)
            #expect(left.isEmpty)
        }
    }

    @Test func aKeyOfAnotherAlgorithm() async throws {
        try await withFolder { folder in
            let path = try self.create(folder)
            expect(.wrongKind) { try KeyFile.open(path, kind: .authority, passphrase: self.passphrase) }
        }
    }

    /// N, r, p. Each would take gigabytes, minutes, or a trap if it were tried.
    static let hostile: [[Int]] = [
        [1 << 19, 8, 1], [1 << 30, 8, 1], [Int.max, 8, 1], [1 << 62, 1, 1], [1 << 14, 1 << 40, 1],
        [1 << 14, 8, 1 << 40],
        [1 << 18, 8, 5], [3, 8, 1], [1, 8, 1], [0, 8, 1], [-2, 8, 1], [1 << 14, 0, 1], [1 << 14, 8, 0],
        [1 << 14, 8, -1],
        [2, 64, 65],
    ]

    /// Most of these would take more memory than any machine has: what is refused was not computed first.
    @Test(arguments: Self.hostile)
    func hostileParametersAreRefusedAtOnce(values: [Int]) async throws {
        try await withFolder { folder in
            let der = try Self.sealed(cost: values[0], blockSize: values[1], parallelism: values[2])
            let path = "\(folder)/hostile.key"
            let pem = PEMDocument(type: "ENCRYPTED PRIVATE KEY", derBytes: der).pemString
            try PrivateFile.write(Array(pem.utf8), to: path, mode: 0o600, overwrite: false)
            expect(.costTooHigh) { try KeyFile.open(path, kind: .log, passphrase: self.passphrase) }
        }
    }

    @Test func brokenFilesAreErrors() async throws {
        try await withFolder { folder in
            let path = try self.create(folder)
            let document = try PEMDocument(pemString: String(contentsOfFile: path, encoding: .utf8))
            // The last 80 bytes are ciphertext: damage there looks like a wrong passphrase.
            for length in 0..<document.derBytes.count {
                #expect(throws: EncryptedPKCS8.Failure.self) {
                    try EncryptedPKCS8.open(Array(document.derBytes[..<length]), passphrase: self.passphrase)
                }
            }
            for text in [
                "", "-----BEGIN", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----",
            ] {
                try PrivateFile.write(Array(text.utf8), to: path, mode: 0o600, overwrite: true)
                expect(.malformed) { try KeyFile.open(path, kind: .log, passphrase: self.passphrase) }
            }
            let long = [UInt8](repeating: 0x41, count: KeyFile.maximumByteCount + 1)
            try PrivateFile.write(long, to: path, mode: 0o600, overwrite: true)
            expect(.tooLarge) { try KeyFile.open(path, kind: .log, passphrase: self.passphrase) }
            expect(.missing) { try KeyFile.open("\(folder)/none", kind: .log, passphrase: self.passphrase) }
            expect(.unreadable) { try KeyFile.open(folder, kind: .log, passphrase: self.passphrase) }
        }
    }

    @Test func oneUnlockingTakesAMoment() async throws {
        try await withFolder { folder in
            let path = try self.create(folder)
            let begin = ContinuousClock.now
            _ = try KeyFile.open(path, kind: .log, passphrase: self.passphrase)
            let duration = ContinuousClock.now - begin
            print("one unlocking: \(duration)")
            #expect(duration > .milliseconds(20))
        }
    }

    @Test func nothingSecretIsPrinted() throws {
        let key = PrivateKey.generate(for: .officer)
        var dumped = ""
        dump(key, to: &dumped)
        dump(self.passphrase, to: &dumped)
        let text =
            "\(key) \(String(reflecting: key)) \(self.passphrase) \(String(reflecting: self.passphrase)) \(dumped)"
        #expect(!text.contains("horse"))
        #expect(text.contains("redacted"))
        #expect(!text.contains("rawRepresentation") && !text.contains("baseKey"))
    }

    private func create(_ folder: String, overwrite: Bool = false) throws -> String {
        try KeyFile.create(
            .generate(for: .log), kind: .log, name: "key", in: folder, passphrase: self.passphrase, publicText: "",
            overwrite: overwrite
        ).path
    }

    private static func sealed(cost: Int, blockSize: Int, parallelism: Int) throws -> [UInt8] {
        var serializer = DER.Serializer()
        try serializer.appendConstructedNode(identifier: .sequence) { info in
            try info.appendConstructedNode(identifier: .sequence) { algorithm in
                try algorithm.serialize([1, 2, 840, 113549, 1, 5, 13] as ASN1ObjectIdentifier)
                try algorithm.appendConstructedNode(identifier: .sequence) { pbes2 in
                    try pbes2.appendConstructedNode(identifier: .sequence) { derivation in
                        try derivation.serialize([1, 3, 6, 1, 4, 1, 11591, 4, 11] as ASN1ObjectIdentifier)
                        try derivation.appendConstructedNode(identifier: .sequence) { values in
                            try values.serialize(ASN1OctetString(contentBytes: [1, 2, 3, 4][...]))
                            try values.serialize(cost)
                            try values.serialize(blockSize)
                            try values.serialize(parallelism)
                        }
                    }
                    try pbes2.appendConstructedNode(identifier: .sequence) { encryption in
                        try encryption.serialize([2, 16, 840, 1, 101, 3, 4, 1, 42] as ASN1ObjectIdentifier)
                        try encryption.serialize(ASN1OctetString(contentBytes: [UInt8](repeating: 0, count: 16)[...]))
                    }
                }
            }
            try info.serialize(ASN1OctetString(contentBytes: [UInt8](repeating: 0, count: 64)[...]))
        }
        return serializer.serializedBytes
    }
}

@discardableResult
private func expect<Value>(_ code: KeyFileError.Code, _ body: () throws -> Value) -> KeyFileError? {
    let error = #expect(throws: KeyFileError.self) { _ = try body() }
    #expect(error?.code == code)
    return error
}
