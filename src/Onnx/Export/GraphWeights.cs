using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using AsrPlatform.Abstractions;
using AsrPlatform.Onnx.Format;

namespace AsrPlatform.Onnx.Export;

/// <summary>Puts a checkpoint's weights into a graph as constants, each form once; values are read when the graph is written.</summary>
/// <param name="values">The checkpoint.</param>
/// <param name="type">Type of what is not quantized: float32 or float16.</param>
/// <param name="loaded">Told the bytes of each constant as it is written; may throw to stop.</param>
internal sealed class GraphWeights(CheckpointValues values, OnnxElementType type, Action<long> loaded)
{
    // Scales are needed while the graph is built, and by several graphs.
    private readonly Dictionary<string, float[]> _scales = new(StringComparer.Ordinal);

    public OnnxElementType Type => type;

    public long[] ShapeOf(string name) => values.ShapeOf(name);

    /// <summary>A weight as the checkpoint has it.</summary>
    public string Plain(GraphBuilder graph, string name) => graph.Constant(name, () => Tensor(values.ShapeOf(name), () => values.Read(name)));

    /// <summary>The matrix of a linear layer as <c>[input, output]</c>.</summary>
    public string Transposed(GraphBuilder graph, string name) => graph.Constant(name + ".T", () =>
    {
        var shape = values.ShapeOf(name);
        return Tensor([shape[1], shape[0]], () => Transpose(values.Read(name), (int)shape[0], (int)shape[1]));
    });

    /// <summary>The matrix of a linear layer as signed bytes <c>[input, output]</c>, or <c>[output, input]</c> as it is.</summary>
    public string Int8(GraphBuilder graph, string name, bool transpose) => graph.Constant(name + (transpose ? ".int8.T" : ".int8"), () =>
    {
        var shape = values.ShapeOf(name);
        var scales = Scales(name);
        return OnnxTensor.Of("", OnnxElementType.Int8, transpose ? [shape[1], shape[0]] : shape, Made(shape[0] * shape[1], () => Quantization.Rows(values.Read(name), scales, transpose)));
    });

    /// <summary>The scales of <see cref="Int8"/>, float32 <c>[output]</c>.</summary>
    public string Int8Scales(GraphBuilder graph, string name) =>
        graph.Constant(name + ".scale", () => OnnxTensor.Of("", [values.ShapeOf(name)[0]], Scales(name)));

    /// <summary>A matrix in blocks of 8 bits, <c>[output, block, input in block]</c> unsigned about 128, and its scales <c>[output, block]</c>.</summary>
    public (string Values, string Scales) Blocks(GraphBuilder graph, string name, int block)
    {
        var shape = values.ShapeOf(name);
        var blocks = (shape[1] + block - 1) / block;
        (byte[] Values, float[] Scales) Make() => Quantization.Blocks(values.Read(name), (int)shape[0], block);
        return (
            graph.Constant(name + ".uint8", () => OnnxTensor.Of("", OnnxElementType.UInt8, [shape[0], blocks, block], Made(shape[0] * blocks * block, () => Make().Values))),
            graph.Constant(name + ".scales", () => OnnxTensor.Of("", [shape[0], blocks], Make().Scales)));
    }

    private float[] Scales(string name)
    {
        if (!_scales.TryGetValue(name, out var scales))
        {
            _scales[name] = scales = Quantization.RowScales(values.Read(name), (int)values.ShapeOf(name)[0]);
        }

        return scales;
    }

    private OnnxTensor Tensor(long[] shape, Func<float[]> read)
    {
        var bytes = shape.Aggregate((long)type.SizeBytes(), (product, size) => product * size);
        return OnnxTensor.Of("", type, shape, Made(bytes, () => Convert(read())));
    }

    private TensorData Made(long length, Func<byte[]> make) => TensorData.Computed(length, () =>
    {
        loaded(length);
        return make();
    });

    private byte[] Convert(float[] numbers)
    {
        if (type == OnnxElementType.Float32)
        {
            return MemoryMarshal.AsBytes(numbers.AsSpan()).ToArray();
        }

        var halves = new Half[numbers.Length];
        TensorPrimitives.ConvertToHalf(numbers, halves);
        for (var i = 0; i < halves.Length; i++)
        {
            if (Half.IsInfinity(halves[i]) && float.IsFinite(numbers[i]))
            {
                throw new AsrException($"The weights hold {numbers[i]:g4}, too large for half precision: export fp32 or int8.");
            }
        }

        return MemoryMarshal.AsBytes(halves.AsSpan()).ToArray();
    }

    private static float[] Transpose(float[] matrix, int rows, int columns)
    {
        // By tiles, so that both sides stay in the cache.
        const int Tile = 32;
        var result = new float[matrix.Length];
        for (var top = 0; top < rows; top += Tile)
        {
            for (var left = 0; left < columns; left += Tile)
            {
                for (var row = top; row < Math.Min(top + Tile, rows); row++)
                {
                    for (var column = left; column < Math.Min(left + Tile, columns); column++)
                    {
                        result[(column * rows) + row] = matrix[(row * columns) + column];
                    }
                }
            }
        }

        return result;
    }
}
