import Replication
import TransparencyLog

// One short line an event or effect, for the trace.

extension Event {
    var summary: String {
        switch self {
        case .started: "started"
        case .peerConnected(let id, let member, let canFetch, _): "connected \(id) \(member) \(canFetch)"
        case .peerRestricted(let id, let isRestricted): "restricted \(id) \(isRestricted)"
        case .peerDisconnected(let id): "disconnected \(id)"
        case .message(let id, let message): "message \(id) \(message.summary)"
        case .violation(let id, let rejection): "violation \(id) \(rejection)"
        case .published(_, let from, let entries): "published \(from) \(entries.count)"
        case .rangeFetched(let request, let answer): "fetched \(request) \(answer.from)..<\(answer.to)"
        case .rangeFailed(let request, let failure): "failed \(request) \(failure)"
        case .ingested(let request, let outcome): "ingested \(request) \(outcome.summary)"
        case .oldHeadChecked(let request, let verdict): "old head \(request) \(verdict.map(String.init) ?? "-")"
        case .cosigned(let origin, let size, _, _): "cosigned \(origin) \(size)"
        case .cosigningFailed(let origin, let size): "not cosigned \(origin) \(size)"
        case .documentFetched(let digest): "document \(digest.hex.prefix(8))"
        case .documentFailed(let digest, let failure, _): "no document \(digest.hex.prefix(8)) \(failure)"
        case .documentsMissing(let needs): "missing \(needs.count)"
        case .served(let id): "served \(id)"
        case .forkProven(let origin, let proof): "fork proven \(origin) \(HashValue.sha256(proof).hex.prefix(8))"
        case .incarnationBegun(let origin, let note): "begun \(origin) \(HashValue.sha256(note).hex.prefix(8))"
        case .incarnationRecorded(let origin, let note, _): "recorded \(origin) \(note != nil)"
        case .waived(let member): "waived \(member)"
        case .clockSet(let ahead): "clock \(ahead)"
        case .freshnessWanted(let origin): "freshness \(origin)"
        case .membershipChanged(let membership, _): "membership \(membership.version)"
        case .recounted(let origin, let isTrustworthy): "recounted \(origin) \(isTrustworthy)"
        case .charterConsidered(let id, let version, let outcome): "charter \(id) \(version) \(outcome)"
        case .timer(let timer): "timer \(timer)"
        }
    }
}

extension IngestOutcome {
    fileprivate var summary: String {
        switch self {
        case .stored(let size, let root, let isTrustworthy, let documents):
            "stored \(size) \(root.hex.prefix(8)) \(isTrustworthy) \(documents.count)"
        case .rejected(let rejection): "rejected \(rejection)"
        case .waitingForCharter(let version): "waiting \(version)"
        case .failed: "failed"
        }
    }
}

extension Effect {
    var summary: String {
        switch self {
        case .send(let id, let message): "send \(id) \(message.summary)"
        case .fetchRange(let request, let id, let wanted, _):
            "fetch \(request) \(id) \(wanted.origin) \(wanted.from) of \(wanted.headSize)"
        case .ingest(let request, let origin, let id, let answer, _):
            "ingest \(request) \(origin) \(id) \(answer.from)..<\(answer.to)"
        case .cosign(let origin, let checkpoint): "cosign \(origin) \(HashValue.sha256(checkpoint).hex.prefix(8))"
        case .persistHead(let origin, let note): "head \(origin) \(note.count)"
        case .persistSignatures(let origin, _, let lines): "signatures \(origin) \(lines.count)"
        case .recordContradiction(let origin, _, _): "contradiction \(origin)"
        case .proveFork(let origin, _, _): "prove fork \(origin)"
        case .persistFork(let origin, let proof): "fork \(origin) \(HashValue.sha256(proof).hex.prefix(8))"
        case .recordIncarnation(let origin, let note): "record \(origin) \(HashValue.sha256(note).hex.prefix(8))"
        case .considerCharter(let id, let version, _): "consider \(id) \(version)"
        case .reject(let id, let rejection): "reject \(id) \(rejection)"
        default: "\(self)"
        }
    }
}

extension Message {
    var summary: String {
        switch self {
        case .head(let head): "head \(head.note.count) \(head.inlineFrom) \(head.inlineEntries.count)"
        case .signatures(let set): "signatures \(set.origin) \(set.size) \(set.lines.count)"
        case .heads(let page): "heads \(page.notes.count)"
        case .summary(let heads): "summary \(heads.count)"
        case .digest(let digest): "digest \(digest.hex.prefix(8))"
        case .forkProof(let proof): "fork \(HashValue.sha256(proof).hex.prefix(8))"
        case .charter(let version, let bytes): "charter \(version) \(bytes.count)"
        case .incarnation(let news): "incarnation \(HashValue.sha256(news.note).hex.prefix(8)) \(news.receipts.count)"
        case .hello(let hello): "hello \(hello.member) \(hello.charterVersion)"
        default: "\(self)"
        }
    }
}
