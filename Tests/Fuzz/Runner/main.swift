// The program that Tests/Fuzz/run builds: libFuzzer's loop over the target that ENTENTE_FUZZ_TARGET names.
import Glibc

@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ count: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ body: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

let wanted = getenv("ENTENTE_FUZZ_TARGET").map { String(cString: $0) }
if wanted == nil {
    for target in FuzzTarget.all { print(target.name, target.longest, target.seeds.joined(separator: " ")) }
    exit(0)
}
private let found = FuzzTarget.all.first { $0.name == wanted }
guard let found else { fatalError("no such target") }
nonisolated(unsafe) private let target = found

var count = CommandLine.argc
var arguments = CommandLine.unsafeArgv
exit(
    runDriver(&count, &arguments) { start, size in
        // In processor time: a busy machine may stop this process for longer than the limit.
        let before = clock()
        target.run(Array(UnsafeBufferPointer(start: start, count: size)))
        if clock() - before > CLOCKS_PER_SEC { fatalError("an input takes more than a second") }
        return 0
    })
