namespace AsrPlatform.LibTorch.Tests.Runtime;

// Counts live tensors of the whole process: nothing else may run meanwhile.
[Collection(nameof(Alone))]
public sealed class DisposeScopeTests
{
    // What other tests forgot must not be freed while these count.
    public DisposeScopeTests()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
    }

    [Fact]
    public void TenThousandAllocations_InScopes_LeaveNothingBehind()
    {
        var before = Tensor.TotalCount;
        for (var i = 0; i < 100; i++)
        {
            using var outer = NewDisposeScope();
            for (var j = 0; j < 10; j++)
            {
                using var inner = NewDisposeScope();
                var t = ones(8);
                for (var k = 0; k < 9; k++)
                {
                    t = t + 1;
                }
                t.MoveToOuterDisposeScope();
            }
            Assert.Equal(10, outer.DisposablesCount);
            Assert.Equal(before + 10, Tensor.TotalCount);
        }
        Assert.Equal(before, Tensor.TotalCount);
        Assert.Null(CurrentDisposeScope);
    }

    [Fact]
    public void BackwardPasses_InScopes_LeaveNothingBehind()
    {
        var before = Tensor.TotalCount;
        using (NewDisposeScope())
        {
            var weight = randn(16, 16).requires_grad_();
            var during = Tensor.TotalCount;
            for (var i = 0; i < 200; i++)
            {
                using var scope = NewDisposeScope();
                weight.matmul(weight).sum().backward();
                _ = weight.grad!.add(1);
                weight.grad = null;
            }
            Assert.Equal(during, Tensor.TotalCount);
        }
        Assert.Equal(before, Tensor.TotalCount);
    }

    [Fact]
    public void NativeMemory_ThroughScopes_DoesNotGrow()
    {
        void Work()
        {
            using var scope = NewDisposeScope();
            var t = rand(256, 256);
            for (var i = 0; i < 20; i++)
            {
                t = t.matmul(t).softmax(-1);
            }
        }
        var before = Diagnostics.LibTorchRuntime.GetCpuMemory().LiveBytes;
        Work();
        var cached = Diagnostics.LibTorchRuntime.GetCpuMemory().CachedBytes;
        for (var i = 0; i < 50; i++)
        {
            Work();
        }
        var after = Diagnostics.LibTorchRuntime.GetCpuMemory();
        Assert.Equal(before, after.LiveBytes);
        Assert.Equal(cached, after.CachedBytes);
    }

    [Fact]
    public void EndOfScope_DisposesWhatWasMadeInIt_AndNoMore()
    {
        using var before = ones(1);
        Tensor inside, detached, outer;
        using (NewDisposeScope())
        {
            using (var scope = NewDisposeScope())
            {
                inside = ones(1);
                detached = ones(1).DetachFromDisposeScope();
                outer = scope.MoveToOuter(ones(1));
                Assert.Equal(1, scope.DisposablesCount);
                Assert.True(scope.Contains(inside));
                Assert.False(scope.Contains(outer));
            }
            Assert.True(inside.IsInvalid);
            Assert.False(outer.IsInvalid);
        }
        Assert.True(outer.IsInvalid);
        Assert.False(detached.IsInvalid);
        Assert.False(before.IsInvalid);
        detached.Dispose();
        detached.Dispose();
    }

    [Fact]
    public void DisposingByHand_TakesTheTensorOutOfItsScope()
    {
        using var scope = NewDisposeScope();
        Tensor[] made = [ones(1), ones(1), ones(1), ones(1)];
        made[1].Dispose();
        made[3].Dispose();
        Assert.Equal([made[0], made[2]], scope.DisposablesView);
        made[0].Dispose();
        made[2].Dispose();
        Assert.Equal(0, scope.DisposablesCount);
        var later = ones(1);
        Assert.Equal([later], scope.DisposablesView);
    }

    [Fact]
    public void Tensors_MoveBetweenScopes()
    {
        using var first = NewDisposeScope();
        using var second = NewDisposeScope();
        var t = ones(1);
        Assert.True(second.Contains(t));
        second.MoveToOther(first, t);
        Assert.True(first.Contains(t));
        second.Attach(t);
        Assert.False(first.Contains(t));
        Assert.True(second.Contains(t));
        using var loose = ones(1).DetachFromDisposeScope();
        loose.MoveToOtherDisposeScope(t);
        Assert.True(second.Contains(loose));
        // What another scope owns stays there.
        first.MoveToOuter(t);
        Assert.True(second.Contains(t));
    }

    [Fact]
    public void DisposeEverythingBut_KeepsWhatIsNamed()
    {
        using var scope = NewDisposeScope();
        Tensor a = ones(1), b = ones(1), c = ones(1);
        scope.DisposeEverythingBut(a, c);
        Assert.True(b.IsInvalid);
        Assert.Equal(2, scope.DisposablesCount);
        scope.DisposeEverything();
        Assert.True(a.IsInvalid && c.IsInvalid);
    }

    [Fact]
    public void OuterScope_DisposedFirst_LeavesTheInnerOneWorking()
    {
        var outer = NewDisposeScope();
        var inner = NewDisposeScope();
        outer.Dispose();
        var t = ones(1);
        Assert.True(inner.Contains(t));
        t.MoveToOuterDisposeScope();
        inner.Dispose();
        Assert.False(t.IsInvalid);
        Assert.Null(CurrentDisposeScope);
        t.Dispose();
        Assert.Throws<ObjectDisposedException>(() => inner.DisposablesCount);
    }

    [Fact]
    public void Scopes_BelongToTheirThread()
    {
        using var scope = NewDisposeScope();
        Tensor? elsewhere = null;
        var thread = new Thread(() => elsewhere = ones(1));
        thread.Start();
        thread.Join();
        Assert.Equal(0, scope.DisposablesCount);
        scope.Dispose();
        Assert.False(elsewhere!.IsInvalid);
        elsewhere.Dispose();
    }

    [Fact]
    public void Finalizer_FreesWhatWasForgotten()
    {
        var before = Tensor.TotalCount;
        [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
        static void Forget() => _ = ones(1);
        Forget();
        Assert.Equal(before + 1, Tensor.TotalCount);
        GC.Collect();
        GC.WaitForPendingFinalizers();
        Assert.Equal(before, Tensor.TotalCount);
    }

    [Fact]
    public void Operations_UnderCollection_KeepTheirOperandsAlive()
    {
        // Temporaries without a scope, while another thread collects without pause.
        var stop = 0;
        var collector = new Thread(() =>
        {
            while (Volatile.Read(ref stop) == 0)
            {
                GC.Collect(0);
                GC.WaitForPendingFinalizers();
            }
        });
        collector.Start();
        for (var i = 0; i < 3000; i++)
        {
            Assert.Equal(3f, ones(4).add(ones(4)).add(ones(4))[0].item<float>());
        }
        Volatile.Write(ref stop, 1);
        collector.Join();
    }
}

/// <summary>Tests that change or count what the whole process shares.</summary>
[CollectionDefinition(nameof(Alone), DisableParallelization = true)]
public sealed class Alone;
