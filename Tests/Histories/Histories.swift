import Alliance
import Foundation
import TestSupport

/// Plays random histories of registers that are joined across members, and compares every view with that of a second
/// implementation:
///
///     entente-histories [--seed FIRST] [--count NUMBER] [--jobs NUMBER]
///
/// Without `--count` the number is `$ENTENTE_HISTORIES`, else 100,000. The exit status is 1 where two views differ; the seed that
/// is named shows it again.
@main
struct Histories {
    static func main() async {
        guard let options = Options(Array(CommandLine.arguments.dropFirst())),
            let definition = BuiltInRegisters.definition(named: "vasp-licences")
        else {
            complain("usage: entente-histories [--seed FIRST] [--count NUMBER] [--jobs NUMBER]")
            exit(64)
        }
        let start = ContinuousClock.now
        let (tally, failures) = await withTaskGroup(of: (JoinTally, String?).self) { group in
            for job in 0..<options.jobs {
                group.addTask { await play(options, job, definition) }
            }
            var (tally, failures) = (JoinTally(), [String]())
            for await (found, failure) in group {
                tally.add(found)
                if let failure { failures.append(failure) }
            }
            return (tally, failures)
        }
        let seconds = (ContinuousClock.now - start).components.seconds
        guard failures.isEmpty else {
            for failure in failures { complain(failure) }
            exit(1)
        }
        print("\(options.count) histories from seed \(options.seed) in \(seconds) s: every view the same.")
        print(tally.text)
    }

    /// Every `jobs`-th seed; ends with the first that fails. Of 20 histories, one is of signed logs.
    @concurrent
    private static func play(
        _ options: Options, _ job: Int, _ definition: RegisterDefinition
    ) async -> (JoinTally, String?) {
        var tally = JoinTally()
        for number in stride(from: job, to: options.count, by: options.jobs) {
            let seed = options.seed &+ UInt64(number)
            do {
                tally.add(try JoinHistory.play(seed: seed, definition: definition))
                if seed % 20 == 0 { tally.add(try CountedJoinHistory.play(seed: seed, definition: definition)) }
            } catch {
                return (tally, "\(error)")
            }
        }
        return (tally, nil)
    }

    private static func complain(_ text: String) { FileHandle.standardError.write(Data("\(text)\n".utf8)) }
}

/// What the command line says.
private struct Options: Sendable {
    var seed: UInt64 = 1
    var count = 100_000
    var jobs = ProcessInfo.processInfo.activeProcessorCount

    init?(_ arguments: [String]) {
        if let text = ProcessInfo.processInfo.environment["ENTENTE_HISTORIES"] {
            guard let number = Int(text), number > 0 else { return nil }
            count = number
        }
        var rest = arguments[...]
        while let name = rest.popFirst() {
            guard let text = rest.popFirst(), let number = UInt64(text) else { return nil }
            switch name {
            case "--seed": seed = number
            case "--count": count = Int(clamping: number)
            case "--jobs": jobs = Int(clamping: number)
            default: return nil
            }
        }
        guard count > 0, (1...1_024).contains(jobs) else { return nil }
    }
}
