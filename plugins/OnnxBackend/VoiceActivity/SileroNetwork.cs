using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Audio;
using AsrPlatform.OnnxBackend.Graphs;

namespace AsrPlatform.OnnxBackend.VoiceActivity;

/// <summary>A Silero network: frames of 32 ms at 16 kHz and what it remembers go in, a probability and the new memory come out.</summary>
/// <remarks>
/// Two kinds are known by their inputs. Version 5 and 6: <c>input</c> [1, 64 + 512] with the last 64 samples of the frame before,
/// <c>state</c> [2, 1, 128], <c>sr</c>. Version 4: <c>input</c> [1, 512], <c>h</c> and <c>c</c> [2, 1, 64] each, <c>sr</c>. Sizes as in
/// Silero's own wrapper.
/// </remarks>
internal sealed class SileroNetwork : IVoiceActivityNetwork
{
    private const int Frame = 512;

    /// <summary>Of the frame before, from version 5 on.</summary>
    private const int ContextSamples = 64;

    private readonly Graph _graph;

    /// <summary>Takes a graph over.</summary>
    /// <exception cref="AsrException">It is none of Silero's.</exception>
    public SileroNetwork(Graph graph)
    {
        _graph = graph;
        var isNewer = graph.Inputs.ContainsKey("state");
        graph.Input("input", static type => type == TensorElementType.Float, -1, -1);
        if (!graph.Inputs.TryGetValue("sr", out var rate) || rate.Type != TensorElementType.Int64)
        {
            throw graph.Wrong($"has no input sr of the type Int64 (it has {string.Join(", ", graph.Inputs.Keys)})", "a Silero VAD file, version 4 to 6");
        }

        (Context, States) = isNewer
            ? (ContextSamples, [new SileroState("state", "stateN", 128)])
            : (0, (SileroState[])[new("h", "hn", 64), new("c", "cn", 64)]);
        foreach (var (input, output, width) in States)
        {
            graph.Input(input, static type => type == TensorElementType.Float, 2, -1, width);
            graph.Output(output, static type => type == TensorElementType.Float, -1, -1, -1);
        }

        graph.Output("output", static type => type == TensorElementType.Float, -1, -1);
    }

    /// <inheritdoc />
    public int SampleRateHz => 16_000;

    /// <inheritdoc />
    public int FrameSamples => Frame;

    /// <summary>Samples of the frame before that go in with each.</summary>
    public int Context { get; }

    /// <summary>What it remembers.</summary>
    public SileroState[] States { get; }

    /// <inheritdoc />
    public IVoiceActivityStream CreateStream() => new SileroStream(this, _graph);

    /// <inheritdoc />
    public void Dispose() => _graph.Dispose();
}

/// <summary>A part of what a network remembers, [2, 1, width].</summary>
/// <param name="Input">Its name as an input.</param>
/// <param name="Output">Its name as an output.</param>
/// <param name="Width">Its width.</param>
internal readonly record struct SileroState(string Input, string Output, int Width);
