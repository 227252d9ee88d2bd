using AsrPlatform.Abstractions.Models;
using AsrPlatform.OnnxBackend.Tests;
using AsrPlatform.Tests;

namespace AsrPlatform.Whisper.Tests.Decoding;

/// <summary>The backend that the decoding parity tests run on in this project: exports of the checkpoint that they name, in both layouts.</summary>
internal static class ParityBackend
{
    private static readonly Lazy<(string Optimum, string Fast)> Folders = new(() =>
    {
        // Lives as long as the process; several tests load it.
        var folder = new TemporaryFolder();
        AppDomain.CurrentDomain.ProcessExit += (_, _) => folder.Dispose();
        return (OnnxModels.Micro(folder, withAttention: true), OnnxModels.FastExport(folder, "micro"));
    });

    public static ISeq2SeqBackend Create() => new Exported(OnnxModels.Backend());

    private sealed class Exported(ISeq2SeqBackend inner) : ISeq2SeqBackend
    {
        public string Name => inner.Name;

        public IReadOnlyList<BackendDevice> Devices => inner.Devices;

        public bool CanLoad(string modelDirectory, out string? reason) => inner.CanLoad(Folders.Value.Optimum, out reason) && inner.CanLoad(Folders.Value.Fast, out reason);

        public ISeq2SeqModel Load(ModelLoadOptions options, CancellationToken cancellationToken = default)
        {
            Assert.Equal(Fixtures.Path("micro"), options.ModelDirectory);
            return new BothLayouts(
                inner.Load(options with { ModelDirectory = Folders.Value.Optimum }, cancellationToken),
                inner.Load(options with { ModelDirectory = Folders.Value.Fast }, cancellationToken));
        }

        public ISeq2SeqModel CreateRandom(string configJson, ModelLoadOptions options) => inner.CreateRandom(configJson, options);
    }
}
