using AsrPlatform.Abstractions.Audio;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Tests;
using AsrPlatform.Whisper.Checkpoints;
using AsrPlatform.Whisper.Decoding;
using AsrPlatform.Whisper.Decoding.HuggingFace;
using AsrPlatform.Whisper.Features;
using AsrPlatform.Whisper.Tokens;

namespace AsrPlatform.Whisper.Tests.Decoding.HuggingFace;

/// <summary>The checkpoint of the fixtures on the test project's backend.</summary>
internal sealed class Micro : IDisposable
{
    private readonly WhisperDecoderInput _input;

    public Micro()
    {
        using var checkpoint = WhisperCheckpoint.Open(Fixtures.Path("micro"));
        Model = ParityBackend.Create().Load(new ModelLoadOptions { ModelDirectory = Fixtures.Path("micro") });
        Tokenizer = WhisperTokenizer.Load(Fixtures.Path("micro"));
        _input = new WhisperDecoderInput(
            Model, LogMelExtractor.Of(checkpoint.Preprocessor), Tokenizer, checkpoint.Config, checkpoint.Generation);
        Generator = new HuggingFaceGenerator(Model, checkpoint.Config, checkpoint.Generation);
    }

    public ISeq2SeqModel Model { get; }

    public WhisperTokenizer Tokenizer { get; }

    public HuggingFaceGenerator Generator { get; }

    public FeatureMatrixWindows Padded(string clip) => new(_input.Features.Extract(WavFixture.Read($"audio/{clip}.wav"), 480000));

    public FeatureMatrixWindows Whole(string clip) => new(_input.Features.Extract(WavFixture.Read($"audio/{clip}.wav")));

    public TranscriptionResult Decode(
        IAudioSource audio, TranscriptionOptions options, Action<TranscriptionProgress>? progress = null, CancellationToken cancellationToken = default) =>
        new HuggingFaceDecoder().Decode(_input, audio, options, progress, cancellationToken);

    public TranscriptionResult Decode(
        string clip, TranscriptionOptions options, Action<TranscriptionProgress>? progress = null, CancellationToken cancellationToken = default) =>
        Decode(new MemoryAudioSource(WavFixture.Read($"audio/{clip}.wav"), 16000), options, progress, cancellationToken);

    public void Dispose()
    {
        Generator.Dispose();
        Model.Dispose();
    }
}
