using AsrPlatform.Abstractions.Audio;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Tests;
using AsrPlatform.Whisper.Decoding;

namespace AsrPlatform.Whisper.Tests.Decoding;

/// <summary>The fixtures' checkpoint on the test project's backend, loaded once for all tests of a class.</summary>
public sealed class MicroRecognizer : IDisposable
{
    private readonly Lazy<WhisperRecognizer> _recognizer = new(() =>
        WhisperRecognizer.Load(ParityBackend.Create(), new ModelLoadOptions { ModelDirectory = Fixtures.Path("micro") }));

    public WhisperRecognizer Recognizer => _recognizer.Value;

    public WhisperDecoderInput Parts => Recognizer.Parts;

    /// <summary>A fixture's clip, such as <c>jfk</c>.</summary>
    public static IAudioSource Audio(string name) => new MemoryAudioSource(WavFixture.Read($"audio/{name}.wav"), 16000);

    /// <summary>The same checkpoint with another model behind it; the caller's model is disposed with the recogniser.</summary>
    public WhisperRecognizer With(ISeq2SeqModel model, bool hasDynamicContext = false, bool conditionsOnPreviousText = true) => new(
        "scripted",
        new WhisperDecoderInput(model, Parts.Features, Parts.Tokenizer, Parts.Config, Parts.Generation with
        {
            HasDynamicContext = hasDynamicContext,
            ConditionsOnPreviousText = conditionsOnPreviousText,
        }),
        WhisperRecognizer.DefaultDecoders);

    public void Dispose()
    {
        if (_recognizer.IsValueCreated)
        {
            _recognizer.Value.Dispose();
        }
    }
}
