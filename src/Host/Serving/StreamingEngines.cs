using AsrPlatform.Abstractions.Audio;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Whisper;
using AsrPlatform.Whisper.Streaming;

namespace AsrPlatform.Host.Serving;

/// <summary>The engines for streams.</summary>
internal static class StreamingEngines
{
    /// <summary>The engine that suits a recogniser.</summary>
    /// <exception cref="Abstractions.AsrException">The settings ask for what it cannot do.</exception>
    public static IStreamingEngine Of(ISpeechRecognizer recognizer, StreamingSettings settings) => recognizer is WhisperRecognizer whisper
        ? new WhisperEngine(whisper, settings)
        : new TranscribingEngine(recognizer, settings);

    /// <summary>Batches over the model itself.</summary>
    private sealed class WhisperEngine : IStreamingEngine
    {
        private readonly StreamingDecoder _decoder;

        public WhisperEngine(WhisperRecognizer recognizer, StreamingSettings settings)
        {
            _decoder = new StreamingDecoder(recognizer.Parts, settings.Decoding, recognizer.FindAdapter);
            MaximumBatch = settings.MaximumBatch;
            Profile = new StreamingProfile(settings.NewPolicy(isSeq2Seq: true, _decoder.HasAlignmentHeads, recognizer.Parts.Model.Info.SupportsAlignment), _decoder.MaximumSeconds, _decoder.MaximumForced)
            {
                RequirePrompt = prompt => recognizer.Parts.Tokenizer.EncodePrompt(prompt),
            };
        }

        public StreamingProfile Profile { get; }

        public int MaximumBatch { get; }

        public bool CanInterleave => true;

        public int ShapeOf(int samples) => _decoder.FramesOf(samples);

        public IReadOnlyList<StreamHypothesis> Decode(IReadOnlyList<StreamPass> passes, CancellationToken cancellationToken) =>
            _decoder.Decode(passes, cancellationToken);
    }

    /// <summary>Any recogniser: it transcribes each window as if it were a file.</summary>
    private sealed class TranscribingEngine(ISpeechRecognizer recognizer, StreamingSettings settings) : IStreamingEngine
    {
        /// <summary>Whisper's window, beyond which recognisers work in parts.</summary>
        private const double WindowSeconds = 30;

        /// <summary>What stays is worth two more decodings (temperatures 0.4 and 0.8); what is shown for a second is not.</summary>
        private const double FinalTemperatureIncrement = 0.4;

        public StreamingProfile Profile { get; } = new(settings.NewPolicy(isSeq2Seq: false, hasAttention: false, givesAttention: false), WindowSeconds, int.MaxValue);

        public int MaximumBatch => 1;

        public bool CanInterleave => false;

        public int ShapeOf(int samples) => 0;

        public IReadOnlyList<StreamHypothesis> Decode(IReadOnlyList<StreamPass> passes, CancellationToken cancellationToken) =>
            [.. passes.Select(pass => Decode(pass, cancellationToken))];

        private StreamHypothesis Decode(StreamPass pass, CancellationToken cancellationToken)
        {
            var options = new TranscriptionOptions
            {
                Language = pass.Language,
                Task = pass.Task,
                Adapter = pass.Adapter,
                InitialPrompt = pass.Prompt,
                Bias = pass.Bias,
                WordTimestamps = true,
                ConditionOnPreviousText = false,
                TemperatureIncrementOnFallback = pass.IsFinal ? FinalTemperatureIncrement : null,
            };
            var result = recognizer.Transcribe(new MemoryAudioSource(pass.Samples, recognizer.Info.SampleRateHz), options, progress: null, cancellationToken);
            return new StreamHypothesis
            {
                Words = [.. result.Segments.SelectMany(Words)],
                Seconds = pass.Samples.Length / (double)recognizer.Info.SampleRateHz,
                Language = result.Language,
                AdapterVersion = result.AdapterVersion ?? recognizer.Info.AdapterVersion,
            };
        }

        private static IEnumerable<StreamWord> Words(TranscriptSegment segment) => segment.Words is { Count: > 0 } words
            ? words.Select(word => new StreamWord(word.Word, word.Start, word.End, word.Probability))
            : segment.Text.Length == 0 ? [] : [new StreamWord(segment.Text, segment.Start, segment.End, 0) { IsPhrase = true }];
    }
}
