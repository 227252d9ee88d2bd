using static AsrPlatform.LibTorch.Tests.TensorAssert;

namespace AsrPlatform.LibTorch.Tests.Operations;

public sealed class ShapeTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly Tensor _grid;

    // 0 1 2
    // 3 4 5
    public ShapeTests() => _grid = arange(6, dtype: float32).view(2, 3);

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void Views_ShareMemory()
    {
        Close([0, 1, 2, 3, 4, 5], [3, 2], _grid.view(3, 2));
        Close([0, 3, 1, 4, 2, 5], [3, 2], _grid.transpose(0, 1));
        Close([0, 3, 1, 4, 2, 5], [3, 2], _grid.t());
        Close([0, 3, 1, 4, 2, 5], [3, 2], _grid.T);
        Close([0, 3, 1, 4, 2, 5], [3, 2], _grid.mT);
        Close([0, 3, 1, 4, 2, 5], [3, 1, 2], _grid.unsqueeze(0).permute(2, 0, 1));
        Assert.False(_grid.t().is_contiguous());
        Assert.True(_grid.t().contiguous().is_contiguous());
        Assert.Equal([1L, 3L], _grid.t().stride());
        _grid.view(-1)[0] = 9f;
        Assert.Equal(9f, _grid[0, 0].item<float>());
    }

    [Fact]
    public void Sizes_AreWhatTheyAre()
    {
        Assert.Equal(2, _grid.dim());
        Assert.Equal(6, _grid.numel());
        Assert.Equal(3, _grid.size(-1));
        Assert.Equal(2, _grid.size(0));
        Assert.Equal(4, _grid.element_size());
        Assert.Throws<ArgumentOutOfRangeException>(() => _grid.size(2));
        Assert.Equal("[2x3], type = Float32, device = cpu", _grid.ToString());
    }

    [Fact]
    public void Dimensions_ComeAndGo()
    {
        Assert.Equal([2L, 1L, 3L], _grid.unsqueeze(1).shape);
        Assert.Equal([2L, 3L], _grid.unsqueeze(1).squeeze().shape);
        Assert.Equal([2L, 3L], _grid.unsqueeze(1).squeeze(1).shape);
        Assert.Equal([6L], _grid.flatten().shape);
        Assert.Equal([2L, 3L, 1L], _grid.unflatten(1, 3, -1).shape);
        Assert.Equal([2L, 1L, 3L], _grid.unflatten(0, -1, 1).shape);
        Assert.Equal([3L, 2L], _grid.movedim([0], [1]).shape);
        Assert.Equal([4L, 2L, 3L], _grid.expand(4, -1, -1).shape);
        Assert.Equal([4L, 2L, 3L], _grid.broadcast_to(4, 2, 3).shape);
        Close([0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5], [2, 6], _grid.repeat(1, 2));
        Close([0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5], [2, 6], _grid.repeat_interleave(2, 1));
    }

    [Fact]
    public void Parts_AreTaken()
    {
        Close([1, 2, 4, 5], [2, 2], _grid.narrow(1, 1, 2));
        Close([3, 4, 5], [3], _grid.select(0, 1));
        Close([0, 2, 3, 5], [2, 2], _grid.slice(1, 0, 3, 2));
        Close([0, 4], _grid.diagonal());
        Close([0, 0, 0, 3, 4, 0], _grid.tril());
        Close([0, 1, 2, 0, 4, 5], _grid.triu());
        Close([0, 1, 1, 2, 3, 4, 4, 5], [2, 2, 2], _grid.unfold(1, 2, 1));
        Close([0, 3, 1, 4], [2, 2], _grid.as_strided([2, 2], [1, 3]));
    }

    [Fact]
    public void Order_Turns()
    {
        Close([5, 4, 3, 2, 1, 0], _grid.flip(0, 1));
        Close([2, 0, 1, 5, 3, 4], _grid.roll(1, 1));
        Close([5, 0, 1, 2, 3, 4], _grid.roll(1));
        Close([3, 4, 5, 0, 1, 2], _grid.roll([1], [0]));
    }

    [Fact]
    public void Joins_AndSplits_AreInverse()
    {
        Close([0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5], [4, 3], cat([_grid, _grid]));
        Close([0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5], [2, 6], cat(new List<Tensor> { _grid, _grid }, 1));
        Assert.Equal([2L, 2L, 3L], stack([_grid, _grid]).shape);
        Assert.Equal([2L, 3L, 2L], stack([_grid, _grid], -1).shape);
        Assert.Equal([2L, 1L], _grid.split(2, 1).Select(t => t.size(1)));
        Assert.Equal([1L, 2L], _grid.split([1, 2], 1).Select(t => t.size(1)));
        Assert.Equal([2L, 1L], _grid.chunk(2, 1).Select(t => t.size(1)));
        Close([0, 1, 2, 3, 4, 5], cat(_grid.chunk(3, 1), 1));
        Assert.Equal(3, _grid.unbind(1).Length);
        Close([1, 4], _grid.unbind(1)[1]);
    }

    [Fact]
    public void Indexer_TakesNumbersRangesAndTensors()
    {
        Close([3, 4, 5], _grid[1]);
        Close([3, 4, 5], _grid[^1]);
        Close([1, 4], _grid[.., 1]);
        Close([1, 2, 4, 5], _grid[.., 1..]);
        Close([1, 2], _grid[0, 1..3]);
        Close([0, 1, 3, 4], _grid[.., ..^1]);
        Close([0, 2, 3, 5], _grid[TensorIndex.Ellipsis, TensorIndex.Slice(0, null, 2)]);
        Assert.Equal([2L, 1L, 3L], _grid[TensorIndex.Colon, TensorIndex.None].shape);
        var columns = tensor(new long[] { 2, 0 });
        Close([2, 0, 5, 3], _grid[TensorIndex.Colon, TensorIndex.Tensor(columns)]);
        Close([2, 3], _grid[tensor(new long[] { 0, 1 }), columns]);
        Close([3, 4, 5], _grid[_grid > 2]);
        Assert.Throws<System.Runtime.InteropServices.ExternalException>(() => _grid[5]);
    }

    [Fact]
    public void Indexer_Writes()
    {
        _grid[0] = 7f;
        Close([7, 7, 7, 3, 4, 5], _grid);
        _grid[1, 2] = 8f;
        Close([7, 7, 7, 3, 4, 8], _grid);
        _grid[.., 0] = tensor(new float[] { 1, 2 });
        Close([1, 7, 7, 2, 4, 8], _grid);
        _grid[_grid > 6] = 0f;
        Close([1, 0, 0, 2, 4, 0], _grid);
        _grid.index_put_(9, TensorIndex.Colon, 1);
        Close([1, 9, 0, 2, 9, 0], _grid);
        var rows = tensor(new long[] { 0, 0 });
        _grid.index_put_(ones(2), [rows, rows], accumulate: true);
        Close([3, 9, 0, 2, 9, 0], _grid);
    }

    [Fact]
    public void Gathering_AndScattering()
    {
        var index = tensor(new long[] { 2, 0 });
        Close([2, 0, 5, 3], _grid.index_select(1, index));
        Close([2, 3], [2, 1], _grid.gather(1, index.view(2, 1)));
        Close([0, 1, 9, 8, 4, 5], _grid.scatter(1, index.view(2, 1), tensor(new float[,] { { 9 }, { 8 } })));
        Close([0, 1, 11, 11, 4, 5], _grid.scatter_add(1, index.view(2, 1), tensor(new float[,] { { 9 }, { 8 } })));
        Close([1, 1, 4, 5, 4, 8], _grid.clone().index_add_(1, index, tensor(new float[,] { { 2, 1 }, { 3, 2 } }), 1));
        Close([7, 1, 7, 7, 4, 7], _grid.clone().index_fill_(1, index, 7));
        Close([1, 1, 0, 4, 4, 3], _grid.clone().index_copy_(1, index, tensor(new float[,] { { 0, 1 }, { 3, 4 } })));
        Close([0, 1, 2, -1, -1, -1], _grid.masked_fill(_grid > 2, -1));
        Close([3, 4, 5], _grid.masked_select(_grid > 2));
        Close([1, 0, 1, 1, 1, 2], [3, 2], (_grid > 2).nonzero());
        Close([1, 1, 1], where(_grid > 2)[0]);
        Close([0, 0, 0, 3, 4, 5], where(_grid > 2, _grid, zeros(1)));
    }

    [Fact]
    public void Casts_RoundAndCut()
    {
        var t = tensor(new float[] { 1.75f, -1.75f, 0 });
        Close([1, -1, 0], t.to(int64));
        Close([1, 1, 0], t.to(@bool));
        Assert.Equal(ScalarType.Float16, t.half().dtype);
        Close([1.75, -1.75, 0], t.bfloat16().@float());
        Assert.Equal(ScalarType.Int32, t.type_as(zeros(1, dtype: int32)).dtype);
        var same = t.to(float32);
        same.fill_(5);
        Close([5, 5, 5], t);
        t.to(float32, copy: true).zero_();
        Close([5, 5, 5], t);
        var taken = t.to(float64, disposeAfter: true);
        Assert.True(t.IsInvalid);
        Close([5, 5, 5], taken);
    }

    [Fact]
    public void Copies_CastAndBroadcast()
    {
        var t = zeros(2, 3);
        t.copy_(tensor(new long[] { 1, 2, 3 }));
        Close([1, 2, 3, 1, 2, 3], t);
        t.narrow(1, 1, 2).copy_(zeros(2, 2));
        Close([1, 0, 0, 1, 0, 0], t);
    }

    [Fact]
    public void Accessor_ReadsAndWritesThroughStrides()
    {
        var turned = _grid.t().data<float>();
        Assert.Equal([0f, 3, 1, 4, 2, 5], turned.ToArray());
        Assert.Equal(4f, turned[1, 1]);
        Assert.Equal(6, turned.Count);
        turned[2, 0] = 20;
        Assert.Equal(20f, _grid[0, 2].item<float>());
        turned.CopyFrom([10f, 11], tensorIndex: 4);
        Close([0, 1, 10, 3, 4, 11], _grid);
        var part = new float[2];
        _grid.data<float>().CopyTo(part.AsSpan(), tensorIndex: 4);
        Assert.Equal([4f, 11], part);
        Assert.Throws<ArgumentException>(() => _grid.data<double>());
        Assert.Throws<ArgumentOutOfRangeException>(() => _grid.data<float>().CopyTo(new float[3].AsSpan(0, 2), 3));
    }
}
