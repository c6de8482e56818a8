import Alliance

/// Any bug that can be planted, by its name.
enum Mistake: Hashable, Sendable {
    case shell(ShellBug)
    #if DEBUG
    case core(PlantedBug)
    #endif

    static var all: [Mistake] {
        let shell = ShellBug.allCases.map { Mistake.shell($0) }
        #if DEBUG
        return shell + PlantedBug.allCases.map { Mistake.core($0) }
        #else
        return shell
        #endif
    }

    init?(_ name: String) {
        guard let bug = Self.all.first(where: { $0.name == name }) else { return nil }
        self = bug
    }

    var name: String {
        switch self {
        case .shell(let bug): bug.rawValue
        #if DEBUG
        case .core(let bug): bug.rawValue
        #endif
        }
    }

    var text: String {
        switch self {
        case .shell(let bug): bug.text
        #if DEBUG
        case .core(let bug): bug.text
        #endif
        }
    }

    /// Why a name names none.
    static func refusal(of name: String) -> String {
        #if DEBUG
        return "no planted bug is called \(name); --planted-bug list lists them"
        #else
        return "no planted bug is called \(name) in this build; --planted-bug list lists those of the nodes' shells, "
            + "and those of the core are in debug builds alone"
        #endif
    }
}

extension Simulation {
    /// Runs one seed, with a bug or without.
    static func run(
        seed: UInt64, _ options: SimulationOptions, with bug: Mistake?
    ) -> (SimulationReport, trace: [String]) {
        var options = options
        func run() -> (SimulationReport, trace: [String]) {
            let simulation = Simulation(seed: seed, options: options)
            return (simulation.run(), simulation.trace)
        }
        switch bug {
        case nil: return run()
        case .shell(let bug):
            options.shellBug = bug
            return run()
        #if DEBUG
        case .core(let bug): return PlantedBug.$planted.withValue([bug], operation: run)
        #endif
        }
    }
}
