import Alliance
import Replication
import TransparencyLog

// A node's starts, and what others record of them.

extension Simulation {
    /// Stores that a node starts, and signs that.
    func begin(above known: UInt64, on node: Int) {
        let number = max(known, nodes[node].starts.map(\.number).max() ?? 0) + 1
        guard let start = try? Incarnation(number: number, value: random.bytes(Incarnation.valueByteCount)),
            let note = try? IncarnationNote(start, signer: nodes[node].member.log)
        else { preconditionFailure("a node can sign its start") }
        nodes[node].starts.append(start)
        nodes[node].begun = now
        report(node, .incarnationBegun(origin: nodes[node].origin, note: note.bytes))
    }

    /// Stores another node's start, unless a newer one is stored.
    func record(_ bytes: [UInt8], _ origin: Int, on node: Int) {
        guard let note = try? IncarnationNote(parsing: bytes) else { preconditionFailure("no start to record") }
        let before = nodes[node].recorded[origin]?.note.incarnation
        guard before.map({ $0.number < note.incarnation.number }) ?? true else {
            return report(node, .incarnationRecorded(origin: origins[origin], note: nil, receipt: []))
        }
        let log = nodes[node].logs[origin]
        let text = IncarnationReceipt.text(note, size: log.size, root: log.root, before: before)
        let seconds = UInt64(nodes[node].clock(now).milliseconds / 1000)
        guard let line = try? nodes[node].member.replica.sign(text, at: seconds),
            let receipt = try? SignedNote(text: text, signatures: [line])
        else { preconditionFailure("a receipt can be signed") }
        nodes[node].recorded[origin] = (note, receipt.bytes)
        report(node, .incarnationRecorded(origin: origins[origin], note: bytes, receipt: receipt.bytes))
    }
}
