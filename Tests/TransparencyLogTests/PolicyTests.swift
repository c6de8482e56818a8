import Testing
import TransparencyLog

@Suite struct PolicyTests {
    let log: SmallLog

    init() throws {
        log = try SmallLog()
    }

    private func witness(_ number: UInt8) throws -> String {
        try cosigner(number).verifierKey.description
    }

    private func text(_ lines: [String]) -> [UInt8] {
        utf8(lines.map { $0 + "\n" }.joined())
    }

    /// The example of C2SP tlog-policy: two of X1 to X3, and any of Y1 to Y3.
    @Test func twoLevels() throws {
        var lines = ["# comment", "", " \t ", "log \(log.signer.verifierKey) https://log.example/"]
        for number in UInt8(1)...3 { lines.append("witness X\(number) \(try witness(number))") }
        lines.append("group X-witnesses 2 X1 X2 X3")
        for number in UInt8(4)...6 { lines.append("\twitness Y\(number - 3)  \(try witness(number)) \t") }
        lines += ["group Y-witnesses any Y1 Y2 Y3", "  # more", "group X-and-Y all X-witnesses Y-witnesses"]
        lines.append("quorum X-and-Y")
        let policy = try TLogPolicy(parsing: text(lines))
        #expect(policy.groups.map(\.threshold) == [2, 1, 2])
        #expect(policy.logs[0].url == utf8("https://log.example/"))
        #expect(try TLogPolicy(parsing: policy.bytes) == policy)
        for cosigners in UInt8(0)..<64 {
            let checkpoint = log.note.text
            var lines = [try log.signer.sign(checkpoint)]
            for number in UInt8(1)...6 where cosigners & (1 << (number - 1)) != 0 {
                lines.append(try cosigner(number).sign(checkpoint, at: UInt64(number)))
            }
            let note = try SignedNote(text: checkpoint, signatures: lines)
            let expected = (cosigners & 7).nonzeroBitCount >= 2 && cosigners & 56 != 0
            let evaluation = try policy.evaluate(note)
            #expect(evaluation.isQuorumReached == expected)
            #expect(evaluation.cosigners.count == cosigners.nonzeroBitCount)
            #expect(evaluation.log == log.signer.verifierKey)
            if !expected { expectThrows(.quorumNotReached) { _ = try policy.verify(note) } }
        }
    }

    @Test func signaturesThatCount() throws {
        let policy = try log.policy()
        let checkpoint = log.note.text
        #expect(try policy.verify(log.note).cosigners.map(\.name) == [utf8("one"), utf8("two")])
        // Cosigners alone are nothing without the log.
        expectThrows(.noTrustedSignature) {
            _ = try policy.evaluate(SignedNote(text: checkpoint, signatures: Array(log.note.signatures[1...])))
        }
        // A log signs its own origin only.
        let other = try Checkpoint(origin: "log.example/other", size: 8, root: .zero).text
        expectThrows(.noTrustedSignature) {
            _ = try policy.evaluate(SignedNote(text: other, signatures: [log.signer.sign(other)]))
        }
        expectThrows(.invalidCheckpoint) {
            _ = try policy.evaluate(SignedNote(text: utf8("a\n"), signatures: [log.signer.sign("a\n")]))
        }
        // A key's second line is verified as well, and one witness counts once.
        let twice = try [log.signer.sign(checkpoint)] + [7, 9].map { try log.witnesses[0].sign(checkpoint, at: $0) }
        let evaluation = try policy.evaluate(SignedNote(text: checkpoint, signatures: twice))
        #expect(evaluation.cosigners.map(\.timestamp) == [9])
        #expect(!evaluation.isQuorumReached)
        let broken = try NoteSignature(
            name: log.witnesses[1].name,
            keyID: log.witnesses[1].verifierKey.keyID,
            signature: [UInt8](repeating: 0, count: 72)
        )
        expectThrows(.invalidSignature) {
            _ = try policy.evaluate(SignedNote(text: checkpoint, signatures: log.note.signatures + [broken]))
        }
        let none = try TLogPolicy(parsing: text(["log \(log.signer.verifierKey)", "quorum none"]))
        #expect(try none.verify(log.note).cosigners.isEmpty)
        let nobody = try TLogPolicy(parsing: text(["quorum none"]))
        expectThrows(.noTrustedSignature) { _ = try nobody.verify(log.note) }
    }

    @Test func strictness() throws {
        let log = "log \(log.signer.verifierKey)"
        let (one, two) = try ("witness one \(witness(1))", "witness two \(witness(2))")
        _ = try TLogPolicy(parsing: text([log, one, two, "group g 1 one two", "quorum g"]))
        let bad: [[String]] = try [
            [], [log], ["quorum"], ["quorum one", one], ["quorum none", "quorum none"], [one, "quorum two"],
            [log, log, "quorum none"], [one, "witness two \(witness(1))", "quorum none"], [one, one, "quorum none"],
            [one, "witness one \(witness(2))", "quorum none"], ["witness none \(witness(1))", "quorum none"],
            [one, "group one any one", "quorum one"], [one, "group none any one", "quorum none"],
            [one, "group g any g", "quorum g"], ["group g any one", one, "quorum g"], [one, "group g any", "quorum g"],
            [one, "group g", "quorum none"], [one, "group g 0 one", "quorum g"], [one, "group g 2 one", "quorum g"],
            [one, "group g 01 one", "quorum g"], [one, "group g +1 one", "quorum g"],
            [one, "group g -1 one", "quorum g"],
            [one, "group g 1 one one", "quorum g"], [one, "group g any none", "quorum g"],
            [one, "group g any one", "group h any one", "quorum h"],
            [one, "group g 99999999999999999999 one", "quorum g"],
            ["log \(witness(1))", "quorum none"], ["witness one \(self.log.signer.verifierKey)", "quorum none"],
            ["log", "quorum none"], ["log x", "quorum none"], [log + " a b", "quorum none"],
            ["witness one", "quorum none"],
            ["Quorum none"], ["quorum none\r"], ["quorum none \u{7f}"], ["quorum\u{b}none"], ["other", "quorum none"],
            ["quorum none none"], ["\u{a0}quorum none"], [one + " u v", "quorum none"],
        ]
        for lines in bad { #expect(isRefused { _ = try TLogPolicy(parsing: text(lines)) }, "\(lines)") }
        #expect(isRefused { _ = try TLogPolicy(parsing: utf8("quorum none")) })
        _ = try TLogPolicy(parsing: [0x23, 0xFF, 0x0A] + utf8("quorum none\n"))
    }

    /// Names are opaque bytes: a Kelvin sign is no K, and what is no UTF-8 is a name too.
    @Test func namesAreBytes() throws {
        let one = try utf8("witness ") + [0xFF] + utf8(" \(witness(1))\nwitness K \(witness(2))\n")
        let policy = try TLogPolicy(parsing: one + utf8("quorum ") + [0xFF, 0x0A])
        #expect(policy.quorum == [0xFF])
        #expect(try TLogPolicy(parsing: policy.bytes) == policy)
        #expect(isRefused { _ = try TLogPolicy(parsing: one + utf8("quorum \u{212a}\n")) })
        #expect(isRefused { _ = try TLogPolicy(parsing: one + utf8("quorum \u{FFFD}\n")) })
    }

    @Test func limitsAndTruncation() throws {
        let groups = (0...TLogPolicy.maximumCount).map { "group g\($0) any \($0 == 0 ? "one" : "g\($0 - 1)")" }
        let one = "witness one \(try witness(1))"
        _ = try TLogPolicy(parsing: text([one] + groups.dropLast() + ["quorum one"]))
        expectThrows(.limitExceeded) { _ = try TLogPolicy(parsing: text([one] + groups + ["quorum one"])) }
        let bytes = try log.policy().bytes
        for count in 0..<bytes.count { #expect(isRefused { _ = try TLogPolicy(parsing: Array(bytes[..<count])) }) }
    }

    @Test func madeByHand() throws {
        let key = log.signer.verifierKey
        #expect(
            isRefused {
                _ = try TLogPolicy(logs: [.init(key: key, url: "a b")], witnesses: [], groups: [], quorum: "none")
            }
        )
        #expect(isRefused { _ = try TLogPolicy(logs: [], witnesses: [], groups: [], quorum: "x") })
        let witness = try TLogPolicy.Witness(name: "a b", key: cosigner(1).verifierKey)
        #expect(isRefused { _ = try TLogPolicy(logs: [], witnesses: [witness], groups: [], quorum: "none") })
        let policy = try log.policy()
        #expect(try TLogPolicy(parsing: policy.bytes) == policy)
    }
}
