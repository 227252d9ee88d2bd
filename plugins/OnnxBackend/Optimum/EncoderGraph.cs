using AsrPlatform.Abstractions;
using AsrPlatform.OnnxBackend.Graphs;
using AsrPlatform.OnnxBackend.Memory;
using WhisperConfig = AsrPlatform.Whisper.Checkpoints.WhisperConfig;

namespace AsrPlatform.OnnxBackend.Optimum;

/// <summary>The encoder of an Optimum export.</summary>
internal sealed class EncoderGraph : IDisposable
{
    private const string FeaturesName = "input_features";
    private const string MaskName = "attention_mask";
    private const string StatesName = "last_hidden_state";

    /// <summary>Frames of the trial run: two positions, since one would be broadcast.</summary>
    private const int TrialFrames = 4;

    private readonly Graph _graph;
    private readonly OrtIoBinding _binding;
    private readonly RunOptions _run = new();
    private readonly GraphTensor _features;
    private readonly GraphTensor _states;
    private readonly GraphTensor? _mask;
    private readonly Scratch _input = new();
    private readonly Scratch _ones = new();

    /// <param name="graph">The graph; stays the caller's.</param>
    /// <param name="config">What it should be.</param>
    /// <exception cref="AsrException">It is another one; the message says in what.</exception>
    public EncoderGraph(Graph graph, WhisperConfig config)
    {
        _graph = graph;
        _features = graph.Input(FeaturesName, Elements.IsFloating, -1, config.NumMelBins, config.MaxFrames);
        _states = graph.Output(StatesName, Elements.IsFloating, -1, config.MaxSourcePositions, config.DModel);
        if (_features.Shape[0] >= 0)
        {
            throw graph.Wrong($"takes batches of {_features.Shape[0]} alone", "any batch: export it again with dynamic axes");
        }

        foreach (var input in graph.Inputs.Values)
        {
            if (input.Name == MaskName)
            {
                _mask = graph.Input(MaskName, Elements.IsInteger, -1, -1);
            }
            else if (input.Name != FeaturesName)
            {
                throw graph.Wrong($"has the input {input.Name} {input.ShapeText}, which nothing is known to fill", $"{FeaturesName} and perhaps {MaskName}");
            }
        }

        _binding = graph.Bind();
        TakesFewerFrames = _features.Shape[2] < 0 && _states.Shape[1] < 0 && TryFewerFrames(config);
    }

    /// <summary>Type of the states.</summary>
    public TensorElementType StatesType => _states.Type;

    /// <summary>Whether it computes contexts shorter than the whole.</summary>
    public bool TakesFewerFrames { get; }

    /// <summary>Computes states.</summary>
    /// <param name="features"><c>[batch, mel, frame]</c>.</param>
    /// <param name="batch">Rows.</param>
    /// <param name="mels">Mel bins.</param>
    /// <param name="frames">Frames of each row.</param>
    /// <param name="states">Where they go: a tensor <c>[batch, frames / 2, width]</c>.</param>
    /// <exception cref="AsrException">The graph refuses.</exception>
    public unsafe void Run(ReadOnlySpan<float> features, int batch, int mels, int frames, OrtValue states)
    {
        long[] shape = [batch, mels, frames];
        fixed (float* pinned = features)
        {
            OrtValue input;
            if (_features.Type == TensorElementType.Float)
            {
                input = OrtValue.CreateTensorValueWithData(OrtMemoryInfo.DefaultInstance, _features.Type, shape, (nint)pinned, features.Length * sizeof(float));
            }
            else
            {
                var bytes = TensorMemory.Bytes(_features.Type, shape);
                var buffer = _input.Need(bytes);
                Elements.Write(features, _features.Type, buffer.Span(0, checked((int)bytes)));
                input = TensorMemory.Tensor(buffer, 0, _features.Type, shape);
            }

            using (input)
            {
                _binding.BindInput(FeaturesName, input);
                BindMask(batch, frames);
                _binding.BindOutput(StatesName, states);
                try
                {
                    _graph.Run(_run, _binding);
                }
                finally
                {
                    // The features are the caller's, and the states may go: nothing of them stays bound.
                    _binding.ClearBoundInputs();
                    _binding.ClearBoundOutputs();
                }
            }
        }
    }

    /// <inheritdoc />
    public void Dispose()
    {
        _binding.Dispose();
        _run.Dispose();
        _input.Dispose();
        _ones.Dispose();
    }

    private void BindMask(int batch, int frames)
    {
        if (_mask is null)
        {
            return;
        }

        var buffer = _ones.Need(TensorMemory.Bytes(_mask.Type, batch, frames));
        var values = buffer.Span(0, checked((int)TensorMemory.Bytes(_mask.Type, batch, frames)));
        for (var i = 0; i < batch * frames; i++)
        {
            Elements.Write(1, _mask.Type, values, i);
        }

        using var mask = TensorMemory.Tensor(buffer, 0, _mask.Type, batch, frames);
        _binding.BindInput(MaskName, mask);
    }

    /// <summary>Most exports say that any number of frames goes, and add positions for all of them.</summary>
    private bool TryFewerFrames(WhisperConfig config)
    {
        if (config.MaxFrames <= TrialFrames)
        {
            return false;
        }

        using var memory = new NativeBuffer(TensorMemory.Bytes(_states.Type, TrialFrames / 2, config.DModel));
        using var states = TensorMemory.Tensor(memory, 0, _states.Type, 1, TrialFrames / 2, config.DModel);
        try
        {
            Run(new float[config.NumMelBins * TrialFrames], 1, config.NumMelBins, TrialFrames, states);
            return true;
        }
        catch (AsrException)
        {
            return false;
        }
    }
}
