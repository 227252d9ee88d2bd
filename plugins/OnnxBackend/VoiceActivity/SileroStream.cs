using AsrPlatform.Abstractions.Audio;
using AsrPlatform.OnnxBackend.Graphs;

namespace AsrPlatform.OnnxBackend.VoiceActivity;

/// <summary>One stream before a Silero network. What it remembers changes places from frame to frame, so that nothing is copied or allocated.</summary>
internal sealed class SileroStream : IVoiceActivityStream
{
    private readonly Graph _graph;
    private readonly int _context;
    private readonly float[] _input;
    private readonly float[] _probability = new float[1];
    private readonly List<OrtValue> _values = [];

    /// <summary>For even and odd frames: one reads what the other writes.</summary>
    private readonly OrtIoBinding[] _bindings;
    private readonly RunOptions _options = new();
    private int _turn;

    public SileroStream(SileroNetwork network, Graph graph)
    {
        _graph = graph;
        _context = network.Context;
        _input = new float[network.Context + network.FrameSamples];
        var input = Keep(OrtValue.CreateTensorValueFromMemory(_input, [1, _input.Length]));
        var rate = Keep(OrtValue.CreateTensorValueFromMemory(new long[] { network.SampleRateHz }, []));
        var probability = Keep(OrtValue.CreateTensorValueFromMemory(_probability, [1, 1]));
        _bindings = [graph.Bind(), graph.Bind()];
        foreach (var binding in _bindings)
        {
            binding.BindInput("input", input);
            binding.BindInput("sr", rate);
            binding.BindOutput("output", probability);
        }

        foreach (var (name, output, width) in network.States)
        {
            var even = Keep(OrtValue.CreateTensorValueFromMemory(new float[2 * width], [2, 1, width]));
            var odd = Keep(OrtValue.CreateTensorValueFromMemory(new float[2 * width], [2, 1, width]));
            _bindings[0].BindInput(name, even);
            _bindings[0].BindOutput(output, odd);
            _bindings[1].BindInput(name, odd);
            _bindings[1].BindOutput(output, even);
        }
    }

    /// <inheritdoc />
    public float Next(ReadOnlySpan<float> frame)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(frame.Length, _input.Length - _context);
        _input.AsSpan(_input.Length - _context).CopyTo(_input);
        var heard = _input.AsSpan(_context);
        for (var i = 0; i < frame.Length; i++)
        {
            // What is no number would be remembered for good.
            heard[i] = float.IsNaN(frame[i]) ? 0 : Math.Clamp(frame[i], -1, 1);
        }

        _graph.Run(_options, _bindings[_turn]);
        _turn ^= 1;
        return _probability[0];
    }

    /// <inheritdoc />
    public void Dispose()
    {
        foreach (var binding in _bindings)
        {
            binding.Dispose();
        }

        _values.ForEach(static value => value.Dispose());
        _options.Dispose();
    }

    private OrtValue Keep(OrtValue value)
    {
        _values.Add(value);
        return value;
    }
}
