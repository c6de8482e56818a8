import Alliance
import Logging
import Replication
import Store

// This start of the node, and that of others: what Replication wants done for them (Docs/specification/incarnations.md).

extension ReplicationDriver {
    func performIncarnation(_ effect: Effect) {
        switch effect {
        case .beginIncarnation(let origin, let known):
            spawn { await $0.beginIncarnation(origin, above: known) }
        case .recordIncarnation(let origin, let note): enqueue(.recordIncarnation(note: note), origin)
        case .folderIsOlder: restored?.mark(logger)
        case .established(let origin):
            // A start is recorded in a forked log as well, but nothing is signed there.
            if incarnationStanding == .established {
                identity.permit(signingIn: origin)
                logger.info("this node may sign in its log", metadata: ["log": "\(origin)"])
            }
            restored?.complete(logger, audit)
            newEstablishment.yield(origin)
        case .superseded(let origin, let later):
            identity.permit(signingIn: nil)
            let text =
                "another copy of this node was started later (start \(later.number) of \(origin)): this one publishes nothing "
                + "and connects to nobody any more; stop the copy that should not run, and start this one again to go on here"
            logger.critical("\(text)")
            audit?.append(.superseded, "\(text)", ["log": .string(origin)], durable: true)
        case .twinSeen(let origin, let start):
            logger.error(
                "another copy of this node was started: two that publish would fork the log",
                metadata: ["log": "\(origin)", "start": "\(start.number)"])
            audit?.append(
                .twin, "another copy of this node was started, as start \(start.number) of \(origin)",
                ["log": .string(origin)], durable: true)
        default: break
        }
    }

    /// Stores that this node starts, and signs that. Where it cannot be done now it is asked for again.
    private func beginIncarnation(_ origin: String, above known: UInt64) async {
        do {
            guard identity.origin == origin, identity.missing.log == nil else { return }
            let value = (0..<Incarnation.valueByteCount).map { _ in UInt8.random(in: 0...UInt8.max) }
            let start = try await store.beginIncarnation(of: origin, above: known, value: value)
            guard let note = try identity.sign(start) else { return }
            handle(.incarnationBegun(origin: origin, note: note.bytes))
        } catch {
            logger.error("the start of this node could not be stored", metadata: ["reason": "\(error)"])
        }
    }

    /// The operator goes on without a member's word.
    ///
    /// - Throws: ``NodeError`` where nobody's word is missing.
    func waive(_ member: CharterMember) throws {
        guard incarnationStanding.waivable.contains(member.id) else {
            throw NodeError("this node does not wait for the word of \(member.name): there is nothing to waive")
        }
        logger.warning("the operator goes on without a member's word", metadata: ["member": "\(member.id)"])
        audit?.append(
            .waived, "the operator goes on without the word of \(member.name)", ["member": .string(member.id)],
            durable: true)
        handle(.waived(member: member.id))
    }

    /// The operator said when starting the node that it goes on without a member's word.
    func waive(atStart member: CharterMember) {
        audit?.append(
            .waived, "started without the word of \(member.name)", ["member": .string(member.id)], durable: true)
        handle(.waived(member: member.id))
    }
}
