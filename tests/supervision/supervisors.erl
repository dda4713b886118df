%% Plays scenarios of supervisors on the real thing.
%%
%% A line in is a scenario, its lines joined by `;`: a tree, then the steps. A line out is its trace, a part for the
%% start and for each step: `answers|events|state`. The first line out is the release. See `scenario.rs`.
%%
%% What is judged by is the *installed* supervisor: its abstract code is taken, renamed, its clock made a variable of
%% ours, and its reports sent to us. Nothing else of it is touched, and nothing of it is stored.
-module(supervisors).
-export([main/0, clock/1, report/1, init/1, start_child/2]).

-define(JUDGE, the_supervisor).

main() ->
    logger:set_primary_config(level, none),
    judge(),
    persistent_term:put(?JUDGE, atomics:new(1, [])),
    Port = open_port({fd, 0, 1}, [binary, {line, 1 bsl 20}, eof]),
    port_command(Port, [erlang:system_info(otp_release), $\n]),
    serve(Port).

serve(Port) ->
    receive
        {Port, {data, {eol, Line}}} ->
            {_, Player} = spawn_monitor(fun() -> exit({trace, play(Line)}) end),
            receive
                {'DOWN', Player, _, _, {trace, Trace}} -> port_command(Port, [Trace, $\n]);
                {'DOWN', Player, _, _, Failure} -> port_command(Port, io_lib:format("~0p~n", [Failure]))
            end,
            serve(Port);
        {Port, eof} ->
            halt(0)
    end.

%% The judge.

judge() ->
    case beam_lib:chunks(code:which(supervisor), [abstract_code]) of
        {ok, {_, [{abstract_code, {_, Forms}}]}} ->
            {ok, ?JUDGE, Beam} = compile:forms(sub(Forms), []),
            {module, ?JUDGE} = code:load_binary(?JUDGE, "the installed supervisor, on our clock", Beam);
        _ ->
            io:format(standard_error, "The installed supervisor.beam holds no abstract code, so it cannot judge.~n", []),
            halt(1)
    end.

sub({attribute, L, module, supervisor}) -> {attribute, L, module, ?JUDGE};
sub({call, L, {remote, _, {atom, _, erlang}, {atom, _, monotonic_time}}, Unit}) ->
    {call, L, {remote, L, {atom, L, ?MODULE}, {atom, L, clock}}, Unit};
sub({call, L, {remote, _, {atom, _, gen_server}, {atom, _, start_link}} = Start, Arguments}) ->
    {call, L, Start, [case A of {atom, _, supervisor} -> {atom, L, ?JUDGE}; _ -> sub(A) end || A <- Arguments]};
sub({call, L, {remote, _, {atom, _, logger}, {atom, _, allow}}, _}) -> {atom, L, true};
sub({call, L, _, [{atom, _, logger}, {atom, _, macro_log}, Arguments]}) ->
    {call, L, {remote, L, {atom, L, ?MODULE}, {atom, L, report}}, [Arguments]};
sub(T) when is_tuple(T) -> list_to_tuple(sub(tuple_to_list(T)));
sub([H | T]) -> [sub(H) | sub(T)];
sub(Other) -> Other.

clock(1) -> atomics:get(persistent_term:get(?JUDGE), 1).

%% Runs in the supervisor.
report([_, _, #{label := {supervisor, progress}} | _]) ->
    ok;
report([_, _, #{label := {supervisor, Label}, report := Report} | _]) ->
    get(?JUDGE) ! {note, {report, Label, proplists:get_value(reason, Report), proplists:get_value(offender, Report)}};
report(_) ->
    get(?JUDGE) ! {note, {report, unexpected, none, []}}.

%% Runs in the supervisor as well: from now on all that it receives, and all that it sends to us, is told in its order.
init({{Player, _}, Path, Nth, Init}) ->
    put(?JUDGE, Player),
    erlang:trace(self(), true, ['receive', send, {tracer, Player}]),
    Player ! {note, {supervisor, Path, Nth}},
    {ok, Init}.

%% The player.

play(Line) ->
    process_flag(trap_exit, true),
    atomics:put(persistent_term:get(?JUDGE), 1, 0),
    Tab = ets:new(?MODULE, [public]),
    Env = {self(), Tab},
    [<<"tree ", Kind/binary>> | Lines] = binary:split(Line, <<";">>, [global]),
    {Children, Steps} = lists:splitwith(fun(<<"child ", _/binary>>) -> true; (_) -> false end, Lines),
    [planned(Tab, tl(words(C))) || C <- Children],
    ets:insert(Tab, {{kind, <<>>}, words(Kind)}),
    Root = case start_supervisor(Env, <<>>, 0) of {ok, Pid} -> Pid; {error, _} -> none end,
    {First, Pids} = after_step([], Root, Env),
    {Traces, _} = lists:mapfoldl(fun(Step, P) -> step(Step, Root, P, Env) end, Pids, Steps),
    case Root of none -> ok; _ -> unlink(Root), exit(Root, kill) end,
    [exit(P, kill) || {{pid, P}, _, _} <- ets:tab2list(Tab)],
    lists:join($;, [First | Traces]).

step(<<"wait ", Seconds/binary>>, Root, _, Env) ->
    atomics:add(persistent_term:get(?JUDGE), 1, binary_to_integer(Seconds)),
    after_step([], Root, Env);
step(<<"stop">>, Root, _, Env) ->
    Root =/= none andalso exit(Root, shutdown),
    wait_until(fun() -> Root =:= none orelse not is_process_alive(Root) end),
    after_step([], Root, Env);
step(Line, Root, Pids, Env) ->
    Deeds = [words(D) || D <- binary:split(Line, <<",">>, [global])],
    [[_, Path | _] | _] = Deeds,
    Sup = maps:get(up(Path), Pids#{<<>> => Root}, none),
    Held = length(Deeds) > 1 andalso is_pid(Sup) andalso is_process_alive(Sup) andalso sys:suspend(Sup) =:= ok,
    Callers = [deed(Deed, Sup, Pids, Held, Env) || Deed <- Deeds],
    Held andalso sys:resume(Sup),
    Answers = [Answer || Caller <- Callers, Answer <- answer(Caller)],
    after_step(Answers, Root, Env).

answer(none) -> [];
answer({called, Monitor}) -> receive {'DOWN', Monitor, _, _, {answer, Answer}} -> [shown(Answer)] end;
answer(Answer) -> [shown(Answer)].

deed([<<"exit">>, Path, Reason], Sup, Pids, _, {_, Tab}) ->
    case maps:get(Path, Pids, none) of
        none -> none;
        Pid ->
            Monitor = monitor(process, Pid),
            [{_, [Kind | _]}] = ets:lookup(Tab, {kind, Path}),
            case {Reason, Kind} of
                {<<"killed">>, _} -> exit(Pid, kill);
                {_, <<"worker">>} -> Pid ! {die, reason(Reason)};
                _ -> try sys:terminate(Pid, reason(Reason)) catch exit:_ -> gone end
            end,
            receive {'DOWN', Monitor, _, _, _} -> ok end,
            %% Its exit is in the mailbox when the link is gone.
            wait_until(fun() ->
                case process_info(Sup, links) of {_, Links} -> not lists:member(Pid, Links); undefined -> true end
            end),
            none
    end;
deed([<<"hang">>, Path], _, Pids, _, _) ->
    #{Path := Pid} = Pids,
    Pid ! {hang, self()},
    receive {hangs, Pid} -> none end;
deed(Deed, Sup, Pids, true, Env) ->
    {_, Before} = process_info(Sup, message_queue_len),
    {_, Monitor} = spawn_monitor(fun() -> exit({answer, call(Deed, Sup, Pids, Env)}) end),
    wait_until(fun() -> {_, Now} = process_info(Sup, message_queue_len), Now > Before end),
    {called, Monitor};
deed(Deed, Sup, Pids, false, Env) ->
    call(Deed, Sup, Pids, Env).

call(_, none, _, _) -> gone;
call([What, Path | Spec], Sup, _, {_, Tab} = Env) ->
    [{_, [Kind | _]}] = ets:lookup(Tab, {kind, up(Path)}),
    Spec =:= [] orelse ets:member(Tab, {spec, Path}) orelse written(Tab, [Path | Spec]),
    try case {What, Kind} of
        {<<"start">>, <<"factory">>} -> supervisor:start_child(Sup, [Path]);
        {<<"start">>, _} -> supervisor:start_child(Sup, spec(Env, Path));
        {<<"terminate">>, <<"factory">>} -> supervisor:terminate_child(Sup, last_pid(Tab, Path));
        {<<"terminate">>, _} -> supervisor:terminate_child(Sup, last(Path));
        {<<"restart">>, _} -> supervisor:restart_child(Sup, last(Path));
        {<<"delete">>, _} -> supervisor:delete_child(Sup, last(Path))
    end catch exit:_ -> gone end.

shown(ok) -> "done";
shown({ok, undefined}) -> "ignored";
shown({ok, _}) -> "done";
shown(gone) -> "gone";
shown({error, {bad_combination, [{auto_shutdown, never} | _]}}) -> "significant_never";
shown({error, {bad_combination, [{restart, permanent} | _]}}) -> "significant_permanent";
shown({error, {already_started, _}}) -> "already_started";
shown({error, Known}) when Known =:= already_present; Known =:= running; Known =:= restarting; Known =:= not_found ->
    atom_to_list(Known);
shown({error, _}) -> "failed".

%% What supervisors are told to start.

planned(Tab, [Path | _] = Child) ->
    written(Tab, Child),
    Before = case ets:lookup(Tab, {children, up(Path)}) of [{_, B}] -> B; [] -> [] end,
    ets:insert(Tab, {{children, up(Path)}, Before ++ [Path]}).

written(Tab, [Path, Restart, Significant, Shutdown, Manner, Starts | Kind]) ->
    ets:insert(Tab, [{{spec, Path}, Restart, Significant, Shutdown}, {{manner, Path}, Manner}, {{kind, Path}, Kind},
                     {{starts, Path}, binary:split(Starts, <<".">>, [global])}, {{count, Path}, 0}]).

spec(Env = {_, Tab}, Path) ->
    [{_, Restart, Significant, Shutdown}] = ets:lookup(Tab, {spec, Path}),
    #{id => last(Path), start => {?MODULE, start_child, [Env, Path]}, restart => binary_to_atom(Restart),
      significant => Significant =:= <<"significant">>, shutdown => patience(Shutdown),
      type => case ets:lookup(Tab, {kind, Path}) of [{_, [<<"worker">>]}] -> worker; _ -> supervisor end}.

start_supervisor(Env = {_, Tab}, Path, Nth) ->
    Init = case ets:lookup(Tab, {kind, Path}) of
        [{_, [<<"factory">>, Intensity, Period, Restart, Shutdown, _]}] ->
            {#{strategy => simple_one_for_one, intensity => binary_to_integer(Intensity),
               period => binary_to_integer(Period)},
             [#{id => any, start => {?MODULE, start_child, [Env]}, restart => binary_to_atom(Restart),
                shutdown => patience(Shutdown)}]};
        [{_, [Strategy, Intensity, Period, Auto]}] ->
            Children = case ets:lookup(Tab, {children, Path}) of [{_, C}] -> C; [] -> [] end,
            {#{strategy => binary_to_atom(Strategy), intensity => binary_to_integer(Intensity),
               period => binary_to_integer(Period), auto_shutdown => binary_to_atom(Auto)},
             [spec(Env, Child) || Child <- Children]}
    end,
    ?JUDGE:start_link(?MODULE, {Env, Path, Nth, Init}).

start_child(Env = {Player, Tab}, Path) ->
    Nth = ets:update_counter(Tab, {count, Path}, 1),
    Player ! {note, {start, Path, Nth}},
    [{_, Starts}] = ets:lookup(Tab, {starts, Path}),
    [{_, Kind}] = ets:lookup(Tab, {kind, Path}),
    case length(Starts) >= Nth andalso lists:nth(Nth, Starts) of
        <<"fail">> -> {error, no};
        <<"ignore">> -> ignore;
        _ when Kind =:= [<<"worker">>] ->
            [{_, Manner}] = ets:lookup(Tab, {manner, Path}),
            Supervisor = self(),
            Pid = spawn_link(fun() -> worker(Supervisor, Manner) end),
            receive {up, Pid} -> ok end,
            born(Tab, Pid, Path, Nth);
        _ ->
            case start_supervisor(Env, Path, Nth) of
                {ok, Pid} -> born(Tab, Pid, Path, Nth);
                Error -> Error
            end
    end.

born(Tab, Pid, Path, Nth) ->
    ets:insert(Tab, [{{pid, Pid}, Path, Nth}, {{last, Path}, Pid}]),
    {ok, Pid}.

last_pid(Tab, Path) ->
    case ets:lookup(Tab, {last, Path}) of
        [{_, Pid}] -> Pid;
        [] -> spawn(fun() -> ok end)
    end.

worker(Supervisor, <<"obeys">>) ->
    Supervisor ! {up, self()},
    receive
        {die, Reason} -> exit(Reason);
        {hang, Player} -> process_flag(trap_exit, true), Player ! {hangs, self()}, insist(<<"hangs">>)
    end;
worker(Supervisor, Manner) ->
    process_flag(trap_exit, true),
    Supervisor ! {up, self()},
    insist(Manner).

insist(Manner) ->
    receive
        {die, Reason} -> exit(Reason);
        {'EXIT', _, shutdown} when Manner =:= <<"hangs">> -> insist(Manner);
        {'EXIT', _, _} when Manner =/= <<"hangs">> -> exit(reason(Manner));
        {'EXIT', _, Reason} -> exit(Reason)
    end.

%% What came of a step.

after_step(Answers, Root, Env = {_, Tab}) ->
    Settled = settle(Root, Tab),
    Ref = erlang:trace_delivered(all),
    receive {trace_delivered, all, Ref} -> ok end,
    Events = events(Env),
    Shown = case Settled of
        {ended, Reason} -> ["ended ", show(Reason)];
        Children -> lists:join($,, [[Path, $\s, Nth] || {Path, Nth, _} <- Children])
    end,
    Pids = case Settled of
        {ended, _} -> #{};
        _ -> maps:from_list([{Path, Pid} || {Path, _, Pid} <- Settled, is_pid(Pid)])
    end,
    {[lists:join($,, Answers), $|, lists:join($,, Events), $|, Shown], Pids}.

settle(none, Tab) ->
    wait_until(fun() -> not lists:any(fun is_process_alive/1, [Pid || {{pid, Pid}, _, _} <- ets:tab2list(Tab)]) end),
    {ended, {shutdown, failed}};
settle(Root, Tab) ->
    Known = [Pid || {{pid, Pid}, _, _} <- ets:tab2list(Tab), is_process_alive(Pid)],
    Settled = case is_process_alive(Root) of
        false ->
            put(ended, case get(ended) of
                undefined -> receive {'EXIT', Root, Reason} -> Reason end;
                Reason -> Reason
            end),
            {ended, get(ended)};
        true -> try list(Root, <<>>, Tab) catch throw:unsettled -> unsettled end
    end,
    Listed = case Settled of
        [_ | _] -> [Pid || {_, _, Pid} <- Settled];
        _ -> []
    end,
    case Settled =/= unsettled andalso Known -- Listed of
        [] -> Settled;
        _ -> erlang:yield(), settle(Root, Tab)
    end.

list(Supervisor, Path, Tab) ->
    All = try supervisor:which_children(Supervisor) catch exit:_ -> throw(unsettled) end,
    Children = case ets:lookup(Tab, {kind, Path}) of
        [{_, [<<"factory">> | _]}] -> lists:sort([factory_child(Pid, Tab) || {_, Pid, _, _} <- All]);
        _ -> lists:reverse([{Path =/= <<>> andalso [Path, $/], Id, Pid} || {Id, Pid, _, _} <- All])
    end,
    lists:append([listed(Child, Tab) || Child <- Children]).

factory_child(Pid, Tab) when is_pid(Pid) ->
    [{_, Path, _}] = ets:lookup(Tab, {pid, Pid}),
    {binary_to_integer(last(Path)), Path, Pid};
factory_child(_, _) -> throw(unsettled).

listed({Number, Path, Pid}, Tab) when is_integer(Number) -> listed(Path, Pid, Tab);
listed({false, Id, Pid}, Tab) -> listed(Id, Pid, Tab);
listed({Prefix, Id, Pid}, Tab) -> listed(iolist_to_binary([Prefix, Id]), Pid, Tab).

listed(_, restarting, _) -> throw(unsettled);
listed(Path, undefined, _) -> [{Path, "-", none}];
listed(Path, Pid, Tab) ->
    is_process_alive(Pid) orelse throw(unsettled),
    [{_, Path, Nth}] = ets:lookup(Tab, {pid, Pid}),
    Below = case ets:lookup(Tab, {kind, Path}) of
        [{_, [<<"worker">>]}] -> [];
        _ -> list(Pid, Path, Tab)
    end,
    [{Path, integer_to_list(Nth), Pid} | Below].

%% What the supervisors have noted and received since the last step, each event with its supervisor. A stop is told by
%% the monitor; the exit that comes along is left out.
events({_, Tab}) ->
    Told = lists:append([event(Told, Tab) || Told <- traces()]),
    Stopped = [{Path, Nth} || {_, {stop, Path, Nth, _}} <- Told],
    [[Of, $\s, text(Event)] || {Of, Event} <- Told,
        case Event of {'end', Path, Nth, _} -> not lists:member({Path, Nth}, Stopped); _ -> true end].

traces() ->
    receive
        {trace, Pid, 'receive', Message} -> [{Pid, got, Message} | traces()];
        {trace, Pid, send, {note, Note}, _} -> [{Pid, note, Note} | traces()];
        {trace, _, _, _, _} -> traces();
        {note, _} -> traces()
    after 0 -> []
    end.

event({Pid, note, {supervisor, Path, Nth}}, _) ->
    put({supervisor, Pid}, {Path, [$/, Path, $#, integer_to_list(Nth)]}),
    [];
event({Pid, note, {start, Path, Nth}}, _) ->
    [{of_supervisor(Pid), {start, Path, Nth}}];
event({Pid, note, {report, Label, Reason, Offender}}, Tab) ->
    {Above, _} = get({supervisor, Pid}),
    Child = case {proplists:get_value(pid, Offender), proplists:get_value(nb_children, Offender)} of
        {_, Count} when is_integer(Count) -> {[[Above, $/] || Above =/= <<>>] ++ "*", Count};
        {{restarting, Last}, _} when is_pid(Last) -> path(Tab, Last, Above, Offender);
        {Last, _} -> path(Tab, Last, Above, Offender)
    end,
    [{of_supervisor(Pid), {report, Label, Reason, Child}}];
event({Pid, got, {'EXIT', Of, Reason}}, Tab) -> child_event(Pid, 'end', Of, Reason, Tab);
event({_, got, {'DOWN', _, process, _, noproc}}, _) -> [];
event({Pid, got, {'DOWN', _, process, Of, Reason}}, Tab) -> child_event(Pid, stop, Of, Reason, Tab);
event(_, _) -> [].

child_event(Supervisor, What, Of, Reason, Tab) ->
    {Above, Shown} = get({supervisor, Supervisor}),
    case ets:lookup(Tab, {pid, Of}) of
        [{_, Path, Nth}] -> [{Shown, {What, Path, Nth, Reason}} || up(Path) =:= Above];
        [] -> []
    end.

of_supervisor(Pid) -> {_, Shown} = get({supervisor, Pid}), Shown.

path(Tab, Pid, Above, Offender) ->
    case is_pid(Pid) andalso ets:lookup(Tab, {pid, Pid}) of
        [{_, Path, _}] -> {Path, 1};
        _ when Above =:= <<>> -> {proplists:get_value(id, Offender), 1};
        _ -> {iolist_to_binary([Above, $/, proplists:get_value(id, Offender)]), 1}
    end.

text({start, Path, Nth}) -> ["start ", Path, $\s, integer_to_list(Nth)];
text({report, child_terminated, Reason, {Path, _}}) -> ["report ", Path, " child_terminated ", show(Reason)];
text({report, shutdown_error, Reason, {Path, Count}}) ->
    ["report ", Path, " shutdown_error ", show(Reason), $\s, integer_to_list(Count)];
text({report, start_error, _, {Path, _}}) -> ["report ", Path, " start_error"];
text({report, shutdown, reached_max_restart_intensity, {Path, _}}) -> ["report ", Path, " gave_up"];
text({report, Label, _, _}) -> ["report ", atom_to_list(Label)];
text({What, Path, Nth, Reason}) -> [atom_to_list(What), $\s, Path, $\s, integer_to_list(Nth), $\s, show(Reason)].

%% Words.

words(Line) -> binary:split(Line, <<" ">>, [global]).

up(Path) ->
    case string:split(Path, "/", trailing) of
        [Above, _] -> Above;
        [_] -> <<>>
    end.

last(Path) -> lists:last(binary:split(Path, <<"/">>, [global])).

patience(<<"brutal_kill">>) -> brutal_kill;
patience(<<"infinity">>) -> infinity;
patience(Milliseconds) -> binary_to_integer(Milliseconds).

reason(<<"stop">>) -> {shutdown, stop};
reason(Reason) -> binary_to_atom(Reason).

show({shutdown, _}) -> "stop";
show(Reason) when is_atom(Reason) -> atom_to_list(Reason);
show(_) -> "other".

wait_until(Holds) ->
    case Holds() of
        true -> ok;
        false -> erlang:yield(), wait_until(Holds)
    end.
