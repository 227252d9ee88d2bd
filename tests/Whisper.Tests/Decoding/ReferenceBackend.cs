using AsrPlatform.Abstractions.Models;
using AsrPlatform.Tests;

namespace AsrPlatform.Whisper.Tests.Decoding;

/// <summary>The reference model as a backend.</summary>
internal sealed class ReferenceBackend : ISeq2SeqBackend
{
    public string Name => "reference";

    public IReadOnlyList<BackendDevice> Devices { get; } = [new("cpu", "plain C#")];

    public bool CanLoad(string modelDirectory, out string? reason)
    {
        reason = null;
        return true;
    }

    public ISeq2SeqModel Load(ModelLoadOptions options, CancellationToken cancellationToken = default) =>
        ReferenceModel.Load(options.ModelDirectory!);

    public ISeq2SeqModel CreateRandom(string configJson, ModelLoadOptions options) => throw new NotSupportedException();
}

/// <summary>The backend that the decoding parity tests of this project run on; other projects compile the same tests with their own.</summary>
internal static class ParityBackend
{
    public static ISeq2SeqBackend Create() => new ReferenceBackend();
}
