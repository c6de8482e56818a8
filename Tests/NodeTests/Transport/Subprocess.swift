import Foundation

/// What a program wrote before it ended.
struct ProgramOutput: Sendable {
    let status: Int32
    let bytes: [UInt8]
    let errors: String

    var text: String { String(decoding: self.bytes, as: UTF8.self) }
}

/// Runs a program of the path to its end.
func run(_ program: String, _ arguments: [String], input: String = "") async throws -> ProgramOutput {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = [program] + arguments
    let (standardInput, standardOutput, standardError) = (Pipe(), Pipe(), Pipe())
    process.standardInput = standardInput
    process.standardOutput = standardOutput
    process.standardError = standardError
    let (ended, end) = AsyncStream<Int32>.makeStream()
    process.terminationHandler = { process in
        end.yield(process.terminationStatus)
        end.finish()
    }
    try process.run()
    standardInput.fileHandleForWriting.write(Data(input.utf8))
    try? standardInput.fileHandleForWriting.close()
    async let output = read(standardOutput)
    async let errors = read(standardError)
    var status: Int32 = -1
    for await value in ended { status = value }
    return await ProgramOutput(status: status, bytes: output, errors: String(decoding: errors, as: UTF8.self))
}

private func read(_ pipe: Pipe) async -> [UInt8] {
    await withCheckedContinuation { continuation in
        Thread.detachNewThread {
            continuation.resume(returning: [UInt8](pipe.fileHandleForReading.readDataToEndOfFile()))
        }
    }
}
