import TestSupport
import TransparencyLog

@testable import Alliance

extension VectorFile {
    static let incarnations = VectorFile(
        name: "incarnations",
        about: """
            Starts of a node and receipts of them (incarnations.md). `log` is the log's key, `replica` that of the member that \
            gives the receipts. valid: it is read, and the key signed it.
            """
    ) {
        let (log, replica) = (try TestAlliance.noteSigner("pk"), try TestAlliance.cosigner("sv"))
        let value = (0..<16).map { UInt8($0) }
        let start = try IncarnationNote(Incarnation(number: 7, value: value), signer: log)
        let before = try Incarnation(number: 6, value: value.reversed())
        func receipt(_ before: Incarnation?, size: UInt64 = 8) throws -> String {
            let text = IncarnationReceipt.text(
                start, size: size, root: HashValue.sha256("a tree of eight"), before: before)
            let line = try replica.sign(text, at: 1_700_000_000)
            return String(decoding: try SignedNote(text: text, signatures: [line]).bytes, as: UTF8.self)
        }
        func note(_ text: String) throws -> String {
            let text = Array(text.utf8)
            let signed = try SignedNote(text: text, signatures: [try log.sign(text)])
            return String(decoding: signed.bytes, as: UTF8.self)
        }
        let said = String(decoding: start.bytes, as: UTF8.self)
        let body = "entente/incarnation/v1\n\(log.name)\n"
        let encoded = Base64.encode(value)
        return [
            "log": .string(log.verifierKey.description),
            "replica": .string(replica.verifierKey.description),
            "starts": [
                accepted(["note": .string(said), "number": 7, "value": .string(encoded)]),
                refused(["note": .string(said.replacing("\n7 ", with: "\n8 "))], "the log's key did not sign it"),
                refused(["note": .string(try note("\(body)0 \(encoded)\n"))], "numbers begin at 1"),
                refused(["note": .string(try note("\(body)07 \(encoded)\n"))], "a number in another form"),
                refused(["note": .string(try note("\(body)9007199254740993 \(encoded)\n"))], "a number above 2^53"),
                refused(["note": .string(try note("\(body)7 \(encoded.dropLast(4))\n"))], "not 16 bytes"),
                refused(["note": .string(try note("\(body)7 \(encoded)\n-\n"))], "a line too many"),
                refused(
                    ["note": .string(try note("entente/incarnation/v2\n\(log.name)\n7 \(encoded)\n"))],
                    "another version"),
            ],
            "receipts": [
                accepted([
                    "note": .string(try receipt(before)), "size": 8, "before": .string("\(before)"),
                ]),
                accepted(["note": .string(try receipt(nil, size: 0)), "size": 0, "before": "-"]),
                refused(
                    ["note": .string(try receipt(before).replacing("\n8 ", with: "\n9 "))],
                    "the replica's key did not sign it"),
                refused(["note": .string(said)], "a start is no receipt"),
            ],
        ]
    }
}
