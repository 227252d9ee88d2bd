using AsrPlatform.Abstractions.Models;
using AsrPlatform.WhisperTorch;

namespace AsrPlatform.Whisper.Tests.Decoding;

/// <summary>The backend that the decoding parity tests run on in this project.</summary>
internal static class ParityBackend
{
    public static ISeq2SeqBackend Create() => new TorchBackend(new WhisperTorchOptions());
}
