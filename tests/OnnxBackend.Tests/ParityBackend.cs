using AsrPlatform.Abstractions.Models;
using AsrPlatform.OnnxBackend.Tests;
using AsrPlatform.Tests;

namespace AsrPlatform.Whisper.Tests.Decoding;

/// <summary>The backend that the decoding parity tests run on in this project: the export of the checkpoint that they name.</summary>
internal static class ParityBackend
{
    private static readonly Lazy<string> Folder = new(() =>
    {
        // Lives as long as the process; several tests load it.
        var folder = new TemporaryFolder();
        AppDomain.CurrentDomain.ProcessExit += (_, _) => folder.Dispose();
        return OnnxModels.Micro(folder, withAttention: true);
    });

    public static ISeq2SeqBackend Create() => new Exported(OnnxModels.Backend());

    private sealed class Exported(ISeq2SeqBackend inner) : ISeq2SeqBackend
    {
        public string Name => inner.Name;

        public IReadOnlyList<BackendDevice> Devices => inner.Devices;

        public bool CanLoad(string modelDirectory, out string? reason) => inner.CanLoad(ExportOf(modelDirectory), out reason);

        public ISeq2SeqModel Load(ModelLoadOptions options, CancellationToken cancellationToken = default) =>
            inner.Load(options with { ModelDirectory = ExportOf(options.ModelDirectory!) }, cancellationToken);

        public ISeq2SeqModel CreateRandom(string configJson, ModelLoadOptions options) => inner.CreateRandom(configJson, options);

        private static string ExportOf(string directory)
        {
            Assert.Equal(Fixtures.Path("micro"), directory);
            return Folder.Value;
        }
    }
}
